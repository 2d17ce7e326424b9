/*
 * A closed loop of N connections on one thread, each with one request outstanding.  Prints
 * "requests seconds p50_us p99_us errors" for the time it was given.
 *
 *     load SOCKET CONNECTIONS SECONDS REQUEST-LINE
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_BYTES = 65536, SAMPLES_MAX = 1 << 21, EVENTS = 256 };

struct link {
	int fd;
	int64_t sent_ns;
};

static char reply[REPLY_BYTES];
static uint32_t samples[SAMPLES_MAX];
static size_t sample_count;
static size_t error_count;

static int64_t now_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror("connect");
		exit(69);
	}
	return fd;
}

static void send_request(struct link *link, const char *line, size_t len)
{
	link->sent_ns = now_ns();
	if (write(link->fd, line, len) != (ssize_t)len) {
		perror("write");
		exit(74);
	}
}

/* Reads to the end of the reply's line. */
static void take_reply(struct link *link)
{
	size_t len = 0;

	do {
		ssize_t got = read(link->fd, reply + len, sizeof(reply) - len);

		if (got <= 0) {
			fprintf(stderr, "connection closed\n");
			exit(76);
		}
		len += (size_t)got;
	} while (reply[len - 1] != '\n' && len < sizeof(reply));
	if (memmem(reply, len, "\"error\":", 8) != NULL)
		error_count++;
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = (uint32_t)((now_ns() - link->sent_ns) / 1000);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static char line[8192];
	struct epoll_event events[EVENTS];

	if (argc != 5)
		return 64;

	size_t count = strtoul(argv[2], NULL, 10);
	int64_t length_ns = (int64_t)(strtod(argv[3], NULL) * 1e9);
	size_t len = (size_t)snprintf(line, sizeof(line), "%s\n", argv[4]);
	struct link *links = calloc(count, sizeof(*links));
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &links[i]};

		links[i].fd = connect_to(argv[1]);
		epoll_ctl(epoll, EPOLL_CTL_ADD, links[i].fd, &event);
	}

	int64_t start_ns = now_ns(), end_ns = start_ns + length_ns;

	for (size_t i = 0; i < count; i++)
		send_request(&links[i], line, len);
	while (now_ns() < end_ns) {
		int ready = epoll_wait(epoll, events, EVENTS, 1000);

		if (ready < 0 && errno != EINTR)
			return 71;
		for (int i = 0; i < ready; i++) {
			take_reply(events[i].data.ptr);
			send_request(events[i].data.ptr, line, len);
		}
	}

	double seconds = (double)(now_ns() - start_ns) / 1e9;

	qsort(samples, sample_count, sizeof(samples[0]), by_size);
	if (sample_count == 0)
		return 75;
	printf("%zu %.3f %u %u %zu\n", sample_count, seconds, samples[sample_count / 2],
		samples[sample_count * 99 / 100], error_count);
	return 0;
}
