/*
 * Starts an integration: finds the program, fetches, and becomes it by execve(2) in place, so that pid, signals,
 * terminal and exit status are the program's own and the daemon's pidfd goes on meaning its process.  From before
 * the connection on, no other process of the user can look into this one (P1).  The merged environment is run_env.c's.
 */
#include "run_start.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "program.h"
#include "run.h"
#include "run_token.h"
#include "run_vault.h"
#include "say.h"

struct fetch {
	struct run_token *token;
	struct coffer_fetch_options wanted;
	coffer_env **out;
};

static int fetch_once(coffer *vault, void *arg)
{
	struct fetch *fetch = arg;

	int error = run_token_show(fetch->token, vault);

	return error == COFFER_OK ? coffer_fetch(vault, &fetch->wanted, fetch->out) : error;
}

static int fetch_env(const struct run_options *options, bool is_quiet, coffer_env **out)
{
	struct fetch fetch = {
		.token = options->token,
		.wanted = {.size = sizeof(fetch.wanted),
			.integration = run_integration(options),
			.only = options->only.count > 0 ? options->only.name : NULL,
			.optional = options->optional.count > 0 ? options->optional.name : NULL,
			.flags = options->is_staged ? COFFER_STAGED : 0},
		.out = out,
	};
	VAULT_AUTO vault = NULL;
	int error = run_vault_open(options, 0, &vault);

	if (error == COFFER_OK)
		error = run_call_until(vault, options, fetch_once, &fetch);
	if (error == COFFER_OK)
		return 0;
	if (is_quiet && run_is_retry(vault, error))
		return RUN_EXIT_RETRY;
	return run_explain(vault, options, error);
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

int run_start_prepare(const struct run_options *options, bool is_quiet, struct run_start *out)
{
	int status = find_program(options, out->program);

	if (status != 0)
		return status;
	/* P1: else any process of this user could take the connection or read the values until the exec. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		say("run: the process cannot be shielded: ", strerrordesc_np(errno), NULL);
		return RUN_EXIT_REFUSED;
	}
	status = fetch_env(options, is_quiet, &out->fetched);
	if (status != 0)
		return status;
	return run_env_build(options, out->fetched, &out->env) ? 0 : RUN_EXIT_REFUSED;
}

void run_start_clear(struct run_start *start)
{
	run_env_clear(&start->env);
	coffer_env_free(start->fetched);
	start->fetched = NULL;
}

void run_start_id(const struct run_start *start, char out[RUN_ID_BYTES + 1])
{
	const char *run = coffer_env_run(start->fetched);

	out[0] = '\0';
	if (text_is_run(run, strlen(run)))
		memcpy(out, run, RUN_ID_BYTES + 1);
}

int run_start_refused(const struct run_options *options, int error)
{
	say(options->command[0], ": cannot be executed: ", strerrordesc_np(error), NULL);
	return RUN_EXIT_NOT_RUNNABLE;
}

int run_in_place(const struct run_options *options, bool is_quiet, int note_fd)
{
	RUN_START_AUTO start = {0};
	int status = run_start_prepare(options, is_quiet, &start);

	if (status != 0)
		return status;
	if (note_fd >= 0) {
		const char *run = coffer_env_run(start.fetched);
		ssize_t written = write(note_fd, run, strlen(run));

		/* Without it the supervisor has nothing to report, and the program starts all the same. */
		(void)written;
	}
	run_token_clear(options->token);
	execve(start.program, options->command, start.env.strings);
	return run_start_refused(options, errno);
}
