/*
 * The last step of a start: from here on a mistake in the code that reads strangers' bytes can do what the daemon does,
 * and nothing else (P8).  Files and system calls are limited in sandbox_paths.c and sandbox_calls.c.
 *
 * Everything is refused for the whole process, so there must be one thread only; name service modules are loaded before,
 * because nothing can be mapped to be executed afterwards.
 */
#include "sandbox.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "sandbox_calls.h"
#include "sandbox_paths.h"
#include "users.h"

enum { CAPABILITIES_MAX = 64, LINKS_OF_ONE_THREAD = 3 };

struct capabilities {
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static struct __user_cap_header_struct capability_header(void)
{
	return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

static bool read_capabilities(struct capabilities *out)
{
	struct __user_cap_header_struct header = capability_header();

	return syscall(SYS_capget, &header, out->words) == 0;
}

static bool has_exactly(const struct capabilities *wanted)
{
	struct capabilities found = {0};

	return read_capabilities(&found) && memcmp(&found, wanted, sizeof(found)) == 0;
}

/* Who has none need not be allowed to give them up. */
static bool set_capabilities(const struct capabilities *wanted)
{
	struct __user_cap_header_struct header = capability_header();

	return has_exactly(wanted) ||
	       (syscall(SYS_capset, &header, wanted->words) == 0 && has_exactly(wanted));
}

/*
 * Memory that was locked by CAP_IPC_LOCK counts against the limit once that is gone, and then nothing more can be mapped.
 * So the limit goes away with it; where a container does not let it, the capability stays.
 */
static void keep_locking(struct capabilities *kept)
{
	const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	struct capabilities held = {0};
	unsigned mask = CAP_TO_MASK(CAP_IPC_LOCK);

	if (!read_capabilities(&held) || (held.words[0].effective & mask) == 0 ||
		setrlimit(RLIMIT_MEMLOCK, &none) == 0)
		return;
	log_warning("the limit of locked memory cannot be raised (LimitMEMLOCK=, CAP_SYS_RESOURCE): "
		    "CAP_IPC_LOCK stays");
	kept->words[0].effective = kept->words[0].permitted = mask;
}

static bool drop_capabilities(void)
{
	struct capabilities kept = {0};

	keep_locking(&kept);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return false;
	/* Only who has CAP_SETPCAP may; to others the bounding set is worth nothing without new privileges. */
	for (unsigned long capability = 0; capability < CAPABILITIES_MAX; capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	return set_capabilities(&kept) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Capabilities and Landlock are each thread's own. */
static bool is_one_thread(void)
{
	struct stat tasks = {0};

	return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == LINKS_OF_ONE_THREAD;
}

static enum err fail(const char *reason, const char **reason_out)
{
	*reason_out = reason;
	return ERR_INTERNAL;
}

enum err sandbox_enter(const struct sandbox *sandbox, const char **reason_out)
{
	int version = 0;
	size_t calls = 0;

	if (!is_one_thread())
		return fail("sandbox: there is more than one thread, or /proc is not mounted", reason_out);
	users_load_modules();
	if (!drop_capabilities())
		return fail("sandbox: capabilities cannot be given up", reason_out);

	enum err err = sandbox_limit_paths(sandbox, &version, reason_out);

	if (err == OK)
		err = sandbox_limit_calls(&calls, reason_out);
	if (err != OK)
		return err;
	if (version == 0)
		log_warning("the kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=): files are kept "
			    "apart by their "
			    "modes and the unit alone");
	log_info("sandbox: %zu system calls, Landlock version %d, no new privileges", calls, version);
	return OK;
}
