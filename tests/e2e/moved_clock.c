/*
 * Preloaded into daemon and command line by year.py: the wall clock as the test wants it, so that a year passes in a minute.
 * The file that MOVED_CLOCK names holds one number, milliseconds to add, and may change at any time.  All other clocks stay
 * as they are: deadlines and timers go on in real time.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000, US_PER_MS = 1000, NS_PER_MS = 1000000 };

static const volatile int64_t *moved_ms;

/* Mapped before main: the daemon soon closes what it does not know, and reduces its environment. */
__attribute__((constructor)) static void map_offset(void)
{
	const char *path = getenv("MOVED_CLOCK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*moved_ms), PROT_READ, MAP_SHARED, fd, 0);

	if (path != NULL && page == MAP_FAILED)
		abort(); /* a test under the real clock would prove nothing */
	if (page != MAP_FAILED)
		moved_ms = page;
	if (fd >= 0)
		close(fd);
}

static void move(struct timespec *now)
{
	int64_t ms = moved_ms == NULL ? 0 : *moved_ms;

	now->tv_sec += ms / MS;
	now->tv_nsec += (ms % MS) * NS_PER_MS;
	if (now->tv_nsec >= MS * NS_PER_MS) {
		now->tv_sec++;
		now->tv_nsec -= MS * NS_PER_MS;
	}
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now)
{
	long result = syscall(SYS_clock_gettime, id, now);

	if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		move(now);
	return (int)result;
}

__attribute__((visibility("default"))) time_t time(time_t *out)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *out, void *zone)
{
	struct timespec now = {0};

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / US_PER_MS;
	return 0;
}
