/*
 * P1: keeps the daemon's memory out of dumps, debuggers and swap, and keeps what the caller of cofferd had
 * open or exported out of the daemon.  Runs before any key is read.  The locked mappings themselves are
 * made and wiped by locked.h; what the process may still do is for the sandbox and the unit file.
 */
#include "harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sanitized.h"

enum { FDS_FIRST = 3 };

/* Heap and stacks to come, which count against the limit, too, once everything is locked. */
#define HEADROOM_BYTES (8UL * 1024 * 1024)

static const char *const kept_variables[] = {"CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_PID",
	"LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
	"XDG_RUNTIME_DIR", "HOME", "COFFER_BOOT_ID", "INVOCATION_ID", "JOURNAL_STREAM"};

/*
 * A core handler behind a pipe or a socket runs whatever RLIMIT_CORE says, but for the value 1, which stops
 * it; to a file, 1 is less than any core needs.  So 1 is right also where the pattern cannot be read.
 */
static rlim_t core_limit(void)
{
	char first = '|';
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &first, 1) != 1)
			first = '|';
		close(fd);
	}
	return first == '|' || first == '@' ? 1 : 0;
}

static bool forbid_dumps(void)
{
	struct rlimit limit = {0};
	rlim_t wanted = core_limit();

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return false;
	if (getrlimit(RLIMIT_CORE, &limit) != 0)
		return false;
	/* Under a hard limit of 0 it stays 0: a process that is not dumpable starts no handler either. */
	if (wanted > limit.rlim_max)
		wanted = limit.rlim_max;
	limit = (struct rlimit){.rlim_cur = wanted, .rlim_max = wanted};
	return setrlimit(RLIMIT_CORE, &limit) == 0;
}

/* A connection takes two descriptors; the soft limit is low for the sake of select(2), which we do not call. */
static bool raise_descriptor_limit(void)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* A store opened as descriptor 2 would be written to by every message. */
static bool fill_standard_fds(void)
{
	int fd = 0;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd < FDS_FIRST);
	return fd >= 0 && close(fd) == 0;
}

static bool is_kept(const char *entry)
{
	for (size_t i = 0; i < sizeof(kept_variables) / sizeof(kept_variables[0]); i++) {
		size_t len = strlen(kept_variables[i]);

		if (strncmp(entry, kept_variables[i], len) == 0 && entry[len] == '=')
			return true;
	}
	return false;
}

static void reduce_environment(void)
{
	char **to = environ;

	for (char **from = environ; from != NULL && *from != NULL; from++)
		if (is_kept(*from))
			*to++ = *from;
	if (to != NULL)
		*to = NULL;
}

enum err harden_process(int keep_fds)
{
	if (keep_fds < 0 || !forbid_dumps())
		return ERR_INTERNAL;
	if (!fill_standard_fds() || close_range((unsigned)(FDS_FIRST + keep_fds), ~0U, 0) != 0)
		return ERR_INTERNAL;
	reduce_environment();
	if (!raise_descriptor_limit())
		return ERR_INTERNAL;
	if (setlocale(LC_ALL, "C") == NULL)
		return ERR_INTERNAL;
	umask(077);
	return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? ERR_INTERNAL : OK;
}

#ifdef SANITIZED

/* A sanitizer maps terabytes of shadow: no limit would hold them. */
enum err harden_memory(unsigned long need_bytes, bool may_swap, const char **reason_out)
{
	(void)need_bytes;
	(void)may_swap;
	*reason_out = NULL;
	return OK;
}

#else

static bool may_lock_without_limit(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

/* What is mapped already counts whole, also what never becomes resident. */
static unsigned long mapped_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file != NULL) {
		if (fscanf(file, "%lu", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	return pages * (unsigned long)sysconf(_SC_PAGESIZE);
}

/* True when the limit holds need_bytes and everything else; else says what to set. */
static bool fits_limit(unsigned long need_bytes, const char **reason_out)
{
	static char reason[192]; /* the caller has no place for it, and the process starts once */
	struct rlimit limit = {0};
	unsigned long whole = mapped_bytes() + HEADROOM_BYTES;

	if (may_lock_without_limit())
		return true;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
		*reason_out = "RLIMIT_MEMLOCK cannot be read";
		return false;
	}
	if (__builtin_add_overflow(whole, need_bytes, &whole))
		whole = ~0UL;
	if (limit.rlim_cur == RLIM_INFINITY || whole <= limit.rlim_cur)
		return true;
	snprintf(reason, sizeof(reason),
		"memory cannot be locked: set LimitMEMLOCK=%luM or more in the unit (it is %luM), or [vault] "
		"allow_swap = yes",
		(whole >> 20) + 1, (unsigned long)(limit.rlim_cur >> 20));
	*reason_out = reason;
	return false;
}

enum err harden_memory(unsigned long need_bytes, bool may_swap, const char **reason_out)
{
	*reason_out = NULL;
	/* With future mappings locked as well, a limit that is too low would fail later and anywhere. */
	if (!fits_limit(need_bytes, reason_out))
		return may_swap ? OK : ERR_INTERNAL;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		return OK;
	*reason_out = errno == EPERM
			      ? "memory cannot be locked: mlockall is not permitted (SystemCallFilter= must "
				"allow @memlock), or set [vault] allow_swap = yes"
			      : "memory cannot be locked: mlockall failed (LimitMEMLOCK=), or set [vault] "
				"allow_swap = yes";
	return may_swap ? OK : ERR_INTERNAL;
}

#endif
