/*
 * Starts an integration: finds the program, fetches, and becomes it by execve(2) in place, so that pid, signals,
 * terminal and exit status are the program's own and the daemon's pidfd goes on meaning its process.  From before
 * the connection on, no other process of the user can look into this one (P1).  Options are run_options.c's,
 * the merged environment run_env.c's.
 */
#include "run.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "coffer.h"
#include "gate.h"
#include "json.h"
#include "program.h"
#include "run_env.h"
#include "run_options.h"
#include "say.h"

enum {
	PAUSE_MS_FIRST = 100,
	PAUSE_MS_MAX = 2000,
	CALL_MS_MIN = 1000,
	CALL_MS_MAX = 10000,
	WHOAMI_DEPTH_MAX = 8,
	WHOAMI_TOKENS_MAX = 4096,
};

static const char help[] =
	"Usage: coffer run [INTEGRATION] [OPTION]... -- CMD [ARG]...\n"
	"\n"
	"Becomes CMD, with the credentials of an integration in its environment.  No shell is involved and\n"
	"no process stays behind: pid, signals, terminal and exit status are CMD's own.\n"
	"Without a name: $COFFER_INTEGRATION, else the only integration that the caller is granted.\n"
	"\n"
	"  --only A,B        fetch these keys and no others\n"
	"  --optional A,B    start even if these have no value\n"
	"  --map KEY=NAME    give the value of KEY to the variable NAME (repeatable)\n"
	"  --keep A,B        these variables win over the vault where they are set already\n"
	"  --clean-env       start from nothing but PATH=/usr/local/bin:/usr/bin:/bin and what --keep names\n"
	"  --wait SECONDS    as long as the daemon is unreachable, sealed or busy, try again for this long\n"
	"  --socket PATH     the daemon's socket\n"
	"  --user            the user's own vault\n"
	"  --json            accepted and without effect: all output is CMD's\n"
	"  --help            this text\n"
	"\n"
	"CMD never gets variables that begin with COFFER_.\n"
	"\n"
	"Exit status: that of CMD, or\n"
	"  75   not now: the daemon is unreachable, sealed, busy or too slow; worth another try\n"
	"  125  denied or refused, or bad usage\n"
	"  126  CMD was found but cannot be executed\n"
	"  127  CMD was not found\n";

/* The way out of an error, for people. */
static const struct {
	int error;
	const char *text;
} ways_out[] = {
	{COFFER_DENIED,
		"`coffer whoami` shows how the daemon sees this process; an administrator can add a grant"},
	{COFFER_NOT_FOUND, "a key that may be without a value is named by --optional"},
	{COFFER_SUSPENDED, "an administrator has suspended it"},
	{COFFER_UNREACHABLE, "is cofferd running?  --wait SECONDS waits for it"},
	{COFFER_SEALED, "an administrator must unseal it; --wait SECONDS waits for that"},
	{COFFER_BUSY, "try again, or let --wait SECONDS do that"},
	{COFFER_RATE_LIMITED, "try again, or let --wait SECONDS do that"},
	{COFFER_TIMEOUT, "try again, or let --wait SECONDS do that"},
	{COFFER_UNSAFE_SOCKET, "--socket PATH or COFFER_SOCKET names another one"},
};

static const char *way_out(int error)
{
	for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++) {
		if (ways_out[i].error == error)
			return ways_out[i].text;
	}
	return NULL;
}

static void close_vault(coffer **vault)
{
	coffer_close(*vault);
}

static void free_env(coffer_env **env)
{
	coffer_env_free(*env);
}

#define VAULT_AUTO __attribute__((cleanup(close_vault))) coffer *
#define ENV_AUTO __attribute__((cleanup(free_env))) coffer_env *

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

/* "a, b, c" from the list in whoami's result; false when there is nothing to list. */
static bool list_granted(coffer *vault, struct buf *out)
{
	static const struct gate_limits limits = {WHOAMI_DEPTH_MAX, WHOAMI_TOKENS_MAX, WHOAMI_TOKENS_MAX};
	static struct json_token tokens[WHOAMI_TOKENS_MAX];
	struct json_doc doc = {.tokens = tokens};
	size_t len = 0;

	if (coffer_whoami(vault, &doc.text, &len) != COFFER_OK ||
		gate_scan(doc.text, len, &limits, tokens, &doc.count) != OK)
		return false;

	const struct json_token *list = json_member(&doc, tokens, "integrations");

	if (list == NULL || list->type != JSON_ARRAY)
		return false;
	for (const struct json_token *t = json_first(&doc, list); t != NULL; t = json_next(&doc, list, t)) {
		if (t->type != JSON_STRING || !text_is_integration_name(json_raw(&doc, t), t->len))
			return false;
		buf_append_string(out, out->len > 0 ? ", " : "");
		buf_append(out, json_raw(&doc, t), t->len);
	}
	buf_append_byte(out, '\0');
	return !buf_failed(out) && out->len > 1;
}

/* "; asked for: A, B": the daemon does not tell which of them it does not have. */
static void list_asked(const struct run_names *only, struct buf *out)
{
	for (size_t i = 0; i < only->count; i++) {
		buf_append_string(out, i == 0 ? "; asked for: " : ", ");
		buf_append_string(out, only->name[i]);
	}
}

/* Negative: the daemon may well run, but not for this user. */
static bool is_retry(const coffer *vault, int error)
{
	return coffer_error_is_retry(error) && coffer_retry_after_ms(vault) >= 0;
}

static void explain(coffer *vault, const struct run_options *options, const char *integration, int error)
{
	BUF_AUTO granted = {0};
	BUF_AUTO asked = {0};
	bool is_forbidden = error == COFFER_UNREACHABLE && !is_retry(vault, error);
	const char *way = is_forbidden ? NULL : way_out(error);

	if (error == COFFER_CONFLICT && integration == NULL && list_granted(vault, &granted)) {
		say("several integrations are granted, name one of them: ", granted.bytes, NULL);
		return;
	}
	if (error == COFFER_NOT_FOUND)
		list_asked(&options->only, &asked);
	buf_append_byte(&asked, '\0');
	say(integration != NULL ? integration : "run", ": ", coffer_error_text(vault, error),
		buf_failed(&asked) ? "" : asked.bytes, way != NULL ? "; " : "", way != NULL ? way : "", NULL);
}

static int call_timeout(const struct run_options *options)
{
	int wait_ms = options->wait_seconds < CALL_MS_MAX / 1000 ? options->wait_seconds * 1000 : CALL_MS_MAX;

	if (wait_ms == 0)
		return CALL_MS_MAX;
	return wait_ms < CALL_MS_MIN ? CALL_MS_MIN : wait_ms;
}

/* A pause that doubles, is at least what the daemon asked for, and ends with the wait. */
static int fetch_until(
	coffer *vault, const struct coffer_fetch_options *wanted, int64_t end_ms, coffer_env **out)
{
	int64_t next_ms = PAUSE_MS_FIRST;

	for (;;) {
		int error = coffer_fetch(vault, wanted, out);
		int64_t left_ms = end_ms - now_ms();

		if (error == COFFER_OK || !is_retry(vault, error) || left_ms <= 0)
			return error;

		int64_t asked_ms = coffer_retry_after_ms(vault);
		int64_t pause = asked_ms > next_ms ? asked_ms : next_ms;

		pause_ms(pause < left_ms ? pause : left_ms);
		next_ms = next_ms * 2 < PAUSE_MS_MAX ? next_ms * 2 : PAUSE_MS_MAX;
	}
}

static int fetch(const struct run_options *options, const char *integration, coffer_env **out)
{
	struct coffer_options where = {
		.size = sizeof(where),
		.socket_path = options->socket_path,
		.timeout_ms = call_timeout(options),
		.flags = options->is_user_vault ? COFFER_USER_VAULT : 0,
	};
	struct coffer_fetch_options wanted = {
		.size = sizeof(wanted),
		.integration = integration,
		.only = options->only.count > 0 ? options->only.name : NULL,
		.optional = options->optional.count > 0 ? options->optional.name : NULL,
	};
	VAULT_AUTO vault = NULL;
	int error = coffer_open(&where, &vault);

	if (error == COFFER_OK)
		error = fetch_until(vault, &wanted, now_ms() + (int64_t)options->wait_seconds * 1000, out);
	if (error == COFFER_OK)
		return 0;
	explain(vault, options, integration, error);
	return is_retry(vault, error) ? RUN_EXIT_RETRY : RUN_EXIT_REFUSED;
}

/* Before anything is fetched: what cannot start needs no credentials, and the log shows no run that never was. */
static int find_program(const struct run_options *options, char out[PATH_MAX])
{
	enum err err = program_find(options->command[0], run_env_path(options), out);

	if (err == OK)
		return 0;
	say(options->command[0], err == ERR_NOT_FOUND ? ": command not found" : ": not an executable file",
		NULL);
	return err == ERR_NOT_FOUND ? RUN_EXIT_NOT_FOUND : RUN_EXIT_NOT_RUNNABLE;
}

static const char *chosen_integration(const struct run_options *options)
{
	const char *chosen =
		options->integration != NULL ? options->integration : getenv("COFFER_INTEGRATION");

	return chosen != NULL && chosen[0] != '\0' ? chosen : NULL;
}

static int run(const struct run_options *options)
{
	char program[PATH_MAX] = "";
	ENV_AUTO fetched = NULL;
	RUN_ENV_AUTO env = {0};
	int status = find_program(options, program);

	if (status != 0)
		return status;
	/* P1: else any process of this user could take the connection or read the values until the exec. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		say("run: the process cannot be shielded: ", strerrordesc_np(errno), NULL);
		return RUN_EXIT_REFUSED;
	}
	status = fetch(options, chosen_integration(options), &fetched);
	if (status != 0)
		return status;
	if (!run_env_build(options, fetched, &env))
		return RUN_EXIT_REFUSED;
	execve(program, options->command, env.strings);
	say(options->command[0], ": cannot be executed: ", strerrordesc_np(errno), NULL);
	return RUN_EXIT_NOT_RUNNABLE;
}

int run_main(int argc, char **argv, int command_at)
{
	struct run_options options = {0};

	if (!run_options_parse(argc, argv, command_at, &options))
		return RUN_EXIT_REFUSED;
	if (options.wants_help)
		return write(STDOUT_FILENO, help, sizeof(help) - 1) == (ssize_t)sizeof(help) - 1
			       ? 0
			       : RUN_EXIT_REFUSED;
	return run(&options);
}
