/*
 * The kernel and its memory: where values of running programs can end up, and whether it tells who is calling.
 */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

#include "doctor_disk.h"

/* ---- swap ---- */

/* A file is as well kept as the disk that it lies on. */
static enum crypt swap_is_encrypted(struct doctor *doctor, const char *path, const char *kind)
{
	struct mount mount = {0};
	const char *slash = strrchr(path, '/');

	if (strcmp(kind, "file") == 0)
		return disk_mount_of(doctor, path, &mount) ? disk_is_encrypted(doctor, &mount)
							   : CRYPT_UNKNOWN;
	if (slash != NULL && strncmp(slash, "/zram", strlen("/zram")) == 0)
		return CRYPT_YES; /* memory, compressed */
	return slash == NULL ? CRYPT_UNKNOWN : disk_device_is_encrypted(doctor, slash + 1);
}

static void judge_swap(struct doctor *doctor, const char *path, const char *kind)
{
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};
	enum crypt crypt = swap_is_encrypted(doctor, path, kind);

	if (crypt == CRYPT_UNKNOWN)
		doctor_cannot(doctor, "it cannot be told whether %s is encrypted", path);
	if (crypt != CRYPT_NO)
		return;
	buf_append_string(&finding.object, path);
	doctor_say(&finding.text,
		"swap on %s is not encrypted. The vault locks its memory; the programs that it gives values "
		"to do not, and what is swapped out stays on the disk",
		path);
	if (strcmp(kind, "file") == 0)
		doctor_say(
			&finding.mend, "swapoff %s, or MemorySwapMax=0 in the units of these programs", path);
	else
		doctor_say(&finding.mend,
			"/etc/crypttab: swap %s /dev/urandom swap   (or MemorySwapMax=0 in the units of "
			"these programs)",
			path);
	doctor_find(doctor, &finding);
}

void doctor_swap(struct doctor *doctor)
{
	char text[DOCTOR_FILE_BYTES] = "";

	if (!doctor_need(doctor, "/proc/swaps", text, sizeof(text)))
		return;
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		char path[4096] = "", kind[32] = "";

		if (*line == '/' && sscanf(line, "%4095s %31s", path, kind) == 2)
			judge_swap(doctor, path, kind);
	}
}

/* ---- core dumps ---- */

void doctor_core_dumps(struct doctor *doctor)
{
	char pattern[256] = "";
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

	if (!doctor_need(doctor, "/proc/sys/kernel/core_pattern", pattern, sizeof(pattern)))
		return;
	pattern[strcspn(pattern, "\n")] = '\0';
	/* A file is written only where the limit of the program allows one, and by default none does. */
	if (pattern[0] != '|' || strncmp(pattern, "|/bin/false", strlen("|/bin/false")) == 0)
		return;
	doctor_say(&finding.text,
		"a program that crashes is dumped to %s, with the values that it was given, whatever its "
		"limit says",
		pattern + 1);
	if (strstr(pattern, "systemd-coredump") != NULL)
		buf_append_string(&finding.mend,
			"/etc/systemd/coredump.conf: [Coredump] Storage=none ProcessSizeMax=0");
	else
		buf_append_string(&finding.mend, "/etc/sysctl.d/50-core.conf: "
						 "kernel.core_pattern=|/bin/false   (then sysctl --system)");
	doctor_find(doctor, &finding);
}

/* ---- tracing ---- */

void doctor_ptrace(struct doctor *doctor)
{
	static const char path[] = "/proc/sys/kernel/yama/ptrace_scope";
	char text[32] = "";
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};
	bool is_there = doctor_read(doctor, path, text, sizeof(text));

	if (!is_there && errno != ENOENT) {
		doctor_cannot(doctor, "%s cannot be read: %s", path, strerror(errno));
		return;
	}
	if (is_there && text[0] != '0')
		return;
	buf_append_string(&finding.text,
		"a process can trace others of its user and read values out of their memory; with "
		"ptrace_scope=1 only a parent can trace its children");
	buf_append_string(&finding.mend,
		is_there ? "/etc/sysctl.d/50-ptrace.conf: kernel.yama.ptrace_scope=1   (then sysctl --system)"
			 : "start the kernel with lsm=...,yama, then kernel.yama.ptrace_scope=1");
	doctor_find(doctor, &finding);
}

/* ---- who is calling ---- */

void doctor_kernel(struct doctor *doctor)
{
	enum { MAJOR = 6, MINOR = 5 };
	char text[128] = "";
	unsigned major = 0, minor = 0;
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

	if (!doctor_need(doctor, "/proc/sys/kernel/osrelease", text, sizeof(text)))
		return;
	text[strcspn(text, "\n")] = '\0';
	if (sscanf(text, "%u.%u", &major, &minor) != 2) {
		doctor_cannot(doctor, "no version of Linux: %s", text);
		return;
	}
	if (major > MAJOR || (major == MAJOR && minor >= MINOR))
		return;
	doctor_say(&finding.text,
		"Linux %s cannot say by itself which process is at the other end of a connection "
		"(SO_PEERPIDFD came with 6.5): a client other than coffer and libcoffer is known by its user "
		"alone, "
		"matches no grant with a unit, and counts as a holder until its version is revoked by force",
		text);
	buf_append_string(&finding.mend,
		"apt install -t bookworm-backports linux-image-amd64, or use coffer run and libcoffer alone");
	doctor_find(doctor, &finding);
}

/* ---- time ---- */

void doctor_clock(struct doctor *doctor)
{
	struct timex time = {0};
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

	if (*doctor->root != '\0') {
		doctor_cannot(doctor, "the clock is this host's, and --root looks at another one");
		return;
	}
	if (adjtimex(&time) < 0) {
		doctor_cannot(doctor, "the kernel does not tell: %s", strerror(errno));
		return;
	}
	if ((time.status & STA_UNSYNC) == 0)
		return;
	buf_append_string(&finding.text,
		"nothing synchronises the clock: times in the audit log, expiry and rotation are only as "
		"good as it is");
	buf_append_string(&finding.mend, "apt install systemd-timesyncd");
	doctor_find(doctor, &finding);
}
