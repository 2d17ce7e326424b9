/*
 * seccomp: the kernel answers the calls of sandbox_calls.def, with the arguments that they say.
 *
 * What is not on the list fails, and the daemon goes on: name services are other people's code in this process, and a call
 * that an update of theirs brings must not take the vault from everybody.  But the operator must learn of it, so the kernel
 * hands such a call to us, and the log names it once.  A call that is newer than the list fails as on a kernel that does
 * not have it: the C library then uses an older one.  To execute a program or to reach into another process is nothing that
 * an honest mistake does: there the process ends, as it does for calls by another architecture's numbers.
 */
#include "sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "log.h"
#include "sanitized.h"

#define WORD 0xffffffffU
#define PIDFD_GET_INFO _IOC(_IOC_READ | _IOC_WRITE, 0xFF, 11, 64) /* of auth/process.c */

enum { NUMBERS = 512, NAME_BYTES = 24, BINARY_TREE = 2 };

struct call {
	int number;
	bool has_condition;
	struct scmp_arg_cmp condition;
};

struct refusal {
	int number;
	uint32_t action;
};

/* clang-format off */
#define CALL(name, why) {.number = SCMP_SYS(name)},
#define CALL_WITH(name, argument, mask, value, why) \
	{SCMP_SYS(name), true, {(argument), SCMP_CMP_MASKED_EQ, (mask), (value)}},
#define QUIET(name, why)
#define NEVER(name, why)
static const struct call calls[] = {
#include "sandbox_calls.def"
};
#undef CALL
#undef CALL_WITH
#undef QUIET
#undef NEVER

#define CALL(name, why)
#define CALL_WITH(name, argument, mask, value, why)
#define QUIET(name, why) {SCMP_SYS(name), SCMP_ACT_ERRNO(EPERM)},
#define NEVER(name, why) {SCMP_SYS(name), SCMP_ACT_KILL_PROCESS},
static const struct refusal refusals[] = {
#include "sandbox_calls.def"
};
#undef CALL
#undef CALL_WITH
#undef QUIET
#undef NEVER

#define CALL(name, why) SCMP_SYS(name),
static const int sanitizer_calls[] = {
#ifdef SANITIZED
#include "sandbox_sanitizer.def"
#endif
	__NR_SCMP_ERROR, /* none: the end */
};
#undef CALL

/* clang-format on */

static bool is_for_sanitizer(int number)
{
	for (const int *call = sanitizer_calls; *call != __NR_SCMP_ERROR; call++)
		if (*call == number)
			return true;
	return false;
}

static bool allow_sanitizer(scmp_filter_ctx filter)
{
	for (const int *call = sanitizer_calls; *call != __NR_SCMP_ERROR; call++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, *call, 0) != 0)
			return false;
	return true;
}

/* ---- what was refused ---- */

static char names[NUMBERS][NAME_BYTES]; /* before: a handler must not ask for memory */
static bool is_told[NUMBERS + 1]; /* the last one stands for all larger numbers */

static void load_names(void)
{
	for (int number = 0; number < NUMBERS; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		snprintf(names[number], NAME_BYTES, "%s", name != NULL ? name : "?");
		free(name);
	}
}

#if defined(__x86_64__) || defined(__aarch64__)
enum { REFUSE = SCMP_ACT_TRAP };

static void set_result(ucontext_t *context, int result)
{
#ifdef __x86_64__
	context->uc_mcontext.gregs[REG_RAX] = result;
#else
	context->uc_mcontext.regs[0] = (unsigned long long)result;
#endif
}

static void on_refused(int signal, siginfo_t *info, void *context)
{
	unsigned number = (unsigned)info->si_syscall;
	unsigned at = number < NUMBERS ? number : NUMBERS;

	(void)signal;
	set_result(context, number >= SYS_statx ? -ENOSYS : -EPERM);
	if (is_told[at])
		return;
	is_told[at] = true;
	/* The log asks for no memory, and what it calls is on the list. */
	log_error("the sandbox refused the system call %s (%u) of a name service, or of code that is not "
		  "cofferd's; "
		  "it is not told again",
		at < NUMBERS ? names[at] : "?", number);
}
#else
enum { REFUSE = SCMP_ACT_ERRNO(EPERM) };

static void on_refused(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
}
#endif

/* ---- the filter ---- */

static void release(scmp_filter_ctx *filter)
{
	if (*filter != NULL)
		seccomp_release(*filter);
}

static bool allow_calls(scmp_filter_ctx filter, size_t *count_out)
{
	size_t count = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct call *call = &calls[i];

		if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number, call->has_condition ? 1 : 0,
			    &call->condition) != 0)
			return false;
		/* The rows of one call are neighbours. */
		count += i == 0 || calls[i - 1].number != call->number;
	}
	*count_out = count;
	return true;
}

static bool add_refusals(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (!is_for_sanitizer(refusals[i].number) &&
			seccomp_rule_add(filter, refusals[i].action, refusals[i].number, 0) != 0)
			return false;
	return true;
}

static bool load(size_t *count_out)
{
	__attribute__((cleanup(release))) scmp_filter_ctx filter = seccomp_init(REFUSE);

	return filter != NULL &&
	       seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	       seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE) == 0 &&
	       allow_calls(filter, count_out) && allow_sanitizer(filter) && add_refusals(filter) &&
	       seccomp_load(filter) == 0;
}

enum err sandbox_limit_calls(size_t *count_out, const char **reason_out)
{
	const struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};

	load_names();
	if (sigaction(SIGSYS, &action, NULL) == 0 && load(count_out))
		return OK;
	*reason_out = "sandbox: system calls cannot be limited (seccomp): the kernel needs "
		      "CONFIG_SECCOMP_FILTER, and "
		      "SystemCallFilter= must allow seccomp";
	return ERR_INTERNAL;
}
