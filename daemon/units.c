#include "units.h"

#include <stdio.h>
#include <unistd.h>

#include "child.h"
#include "log.h"

#define SYSTEMCTL "/usr/bin/systemctl"
#define SERVICE "cofferd.service"

enum { UNITS_MAX = 3, WORDS_MAX = UNITS_MAX + 4 };

static const char *const units[UNITS_MAX] = {"cofferd.socket", "cofferd-credentials.socket", SERVICE};

static bool run(const char *const *argv, bool is_quiet)
{
	struct child child = {.argv = argv, .is_quiet = is_quiet};

	return child_run(&child) == OK && child.exit_code == 0;
}

static bool is_installed(const char *unit)
{
	return run((const char *const[]){SYSTEMCTL, "cat", "--no-pager", unit, NULL}, true);
}

static const char *why_not(bool has_own_config)
{
	if (has_own_config)
		return "the units of this host serve another configuration";
	if (access("/run/systemd/system", F_OK) != 0 || access(SYSTEMCTL, X_OK) != 0)
		return "this host is not run by systemd";
	return is_installed(SERVICE) && is_installed(units[0])
		       ? NULL
		       : "cofferd.service and cofferd.socket are not installed";
}

/* verb, for those of the units that are installed. */
static bool tell(const char *verb)
{
	const char *argv[WORDS_MAX] = {SYSTEMCTL, "--quiet", verb};
	size_t count = 3;

	for (size_t i = 0; i < UNITS_MAX; i++)
		if (is_installed(units[i]))
			argv[count++] = units[i];
	return run(argv, false);
}

static int fail(const char *what)
{
	log_error("the vault is made, but %s: systemctl status cofferd.service says why; then "
		  "systemctl enable --now cofferd.socket cofferd.service",
		what);
	return err_exit_code(ERR_INTERNAL);
}

int units_start(bool has_own_config)
{
	const char *reason = why_not(has_own_config);

	if (reason != NULL) {
		printf("Nothing was started: %s.\n", reason);
		return 0;
	}
	if (!tell("enable"))
		return fail("its units cannot be enabled");
	/* Restarted, and not only started: it may run sealed, without the root key. */
	if (!run((const char *const[]){SYSTEMCTL, "--quiet", "start", units[0], NULL}, false) ||
		(is_installed(units[1]) &&
			!run((const char *const[]){SYSTEMCTL, "--quiet", "start", units[1], NULL}, false)) ||
		!run((const char *const[]){SYSTEMCTL, "--quiet", "restart", SERVICE, NULL}, false))
		return fail("its units cannot be started");
	printf("Enabled and started: ");
	for (size_t i = 0, shown = 0; i < UNITS_MAX; i++)
		if (is_installed(units[i]))
			printf("%s%s", shown++ > 0 ? ", " : "", units[i]);
	printf(".\n");
	return 0;
}

int units_restart(bool has_own_config)
{
	if (why_not(has_own_config) != NULL)
		return 0;
	if (run((const char *const[]){SYSTEMCTL, "--quiet", "try-restart", SERVICE, NULL}, false))
		return 0;
	log_error("the daemon cannot be started anew: systemctl status cofferd.service says why");
	return err_exit_code(ERR_INTERNAL);
}
