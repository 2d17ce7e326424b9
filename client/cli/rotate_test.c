/*
 * The second step of a rotation: who runs the test, and what its verdict is.  The verdict is the one that the daemon has
 * recorded; the status of a program here is only told.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "rotation.h"
#include "test_token.h"
#include "tty_text.h"
#include "wait.h"

static enum err choose_command(struct rotation *rotation)
{
	struct cli *cli = rotation->cli;
	struct secret_test *test = &rotation->test;
	const char *given = args_text(&cli->args, FIELD_TEST);
	enum err err = secret_test_read_own(cli, test);

	if (err != OK)
		return err;
	if (given != NULL && test->own != NULL && strcmp(given, test->own) != 0)
		return cli_usage(cli,
			"only verdicts of the integration's own test command count: leave --test out, or "
			"change that one with coffer integration edit --test");
	if (test->own == NULL && (given == NULL || *given == '\0'))
		return cli_usage(cli,
			"there is no test command: give one with --test, or name the integration's with "
			"coffer integration edit --test");
	secret_test_use_shell(test, test->own != NULL ? test->own : given);
	return OK;
}

static bool lists(const struct reply *reply, const char *member, const char *name)
{
	const struct json_token *array = reply_array(reply, NULL, member);

	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL;
		t = json_next(&reply->doc, array, t)) {
		if (json_equals(&reply->doc, t, name))
			return true;
	}
	return false;
}

/* Root becomes the integration's user; anybody else must be one who may fetch it. */
static enum err find_tester(struct rotation *rotation)
{
	REPLY_AUTO reply = {0};
	enum err err = secret_test_find_account(rotation->cli, &rotation->test);

	/* Whoever brings a token means to use it here; whoami tells nothing of grants that ask for one. */
	rotation->can_test = rotation->test.has_account || test_token_is_given(rotation->cli);
	if (err != OK || rotation->can_test)
		return err;
	err = cli_ask(rotation->cli, REQUEST_WHOAMI, &reply);
	if (err == OK)
		rotation->can_test = lists(&reply, "integrations", rotation->integration) ||
				     lists(&reply, "staged_only", rotation->integration);
	return err;
}

enum err rotate_test_prepare(struct rotation *rotation)
{
	enum err err = choose_command(rotation);

	return err == OK ? find_tester(rotation) : err;
}

/* As system(3) does it: an interrupt is for the test, and this process lives to say what is left. */
static enum err run_test(const struct rotation *rotation, int *status_out)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction interrupt = {0};
	struct sigaction quit = {0};
	int status = 0;

	(void)fflush(stdout);
	(void)sigaction(SIGINT, &ignore, &interrupt);
	(void)sigaction(SIGQUIT, &ignore, &quit);

	pid_t pid = fork();

	if (pid == 0) {
		(void)sigaction(SIGINT, &interrupt, NULL);
		(void)sigaction(SIGQUIT, &quit, NULL);
		_exit(err_exit_code(secret_test_exec(rotation->cli, &rotation->test)));
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	(void)sigaction(SIGINT, &interrupt, NULL);
	(void)sigaction(SIGQUIT, &quit, NULL);
	*status_out = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return pid > 0 ? OK
		       : cli_fail(rotation->cli, ERR_INTERNAL, "the test cannot be started: %s",
				 strerror(errno));
}

struct verdict_wait {
	struct rotation *rotation;
	char seen[RUN_ID_BYTES + 1]; /* the newest verdict before */
};

static enum err look_for_verdict(void *context, struct buf *text, bool *is_done_out)
{
	struct verdict_wait *wait = context;
	struct standing *standing = &wait->rotation->standing;
	enum err err = versions_read(wait->rotation->cli, standing);

	if (err != OK)
		return err;
	if (standing->staged != wait->rotation->version) {
		buf_append_string(text, "the version is not staged any more");
		return ERR_CONFLICT;
	}
	*is_done_out = standing->verdict[0] != '\0' && strcmp(standing->verdict, wait->seen) != 0;
	buf_append_string(text, "nobody has tested the staged version yet");
	return OK;
}

static void ask_for_test(const struct rotation *rotation)
{
	BUF_AUTO line = {0};
	BUF_AUTO shown = {0};

	secret_test_append_line(rotation->cli, &rotation->test, &line);
	tty_text_append(&shown, line.bytes, line.len);
	if (shown.len != line.len)
		cli_say("the command holds characters that are not shown as they are");
	buf_append_byte(&shown, '\0');
	cli_say("this user may not fetch it: let the integration's user, or one with a staged-only grant, "
		"run");
	fprintf(stderr, "  %s\n", buf_failed(&shown) ? "" : shown.bytes);
}

static enum err await_test(struct rotation *rotation)
{
	struct verdict_wait context = {.rotation = rotation};
	const struct waiting waiting = {
		.cli = rotation->cli,
		.timeout_ms = rotation->timeout_ms,
		.go_on = rotation->go_on,
		.look = look_for_verdict,
		.context = &context,
	};

	memcpy(context.seen, rotation->standing.verdict, sizeof(context.seen));
	ask_for_test(rotation);
	return wait_for(&waiting);
}

/* What the daemon has recorded counts, whatever a program's status was. */
static enum err judge_test(struct rotation *rotation, const char *seen, int status)
{
	const struct standing *standing = &rotation->standing;
	long long version = (long long)rotation->version;

	if (standing->staged == rotation->version && standing->is_tested) {
		rotation_say(rotation, 2, "version %lld has passed its test", version);
		return OK;
	}
	if (standing->staged != rotation->version)
		return cli_fail(rotation->cli, ERR_CONFLICT,
			"version %lld is not staged any more: somebody else has promoted or revoked it",
			version);
	if (strcmp(standing->verdict, seen) == 0)
		return cli_fail(rotation->cli, ERR_UNTESTED,
			"no verdict was recorded, and the test ended with status %d; %s", status,
			rotation->go_on);
	if (standing->has_passed)
		return cli_fail(rotation->cli, ERR_UNTESTED,
			"a test has passed, but not the one that counts; %s", rotation->go_on);
	return cli_fail(rotation->cli, ERR_UNTESTED, "version %lld has failed its test; %s", version,
		rotation->go_on);
}

enum err rotate_test(struct rotation *rotation)
{
	char seen[RUN_ID_BYTES + 1];
	int status = 0;

	if (rotation->standing.is_tested) {
		rotation_say(
			rotation, 2, "version %lld has passed its test before", (long long)rotation->version);
		return OK;
	}
	memcpy(seen, rotation->standing.verdict, sizeof(seen));

	enum err err = rotation->can_test ? run_test(rotation, &status) : await_test(rotation);

	if (err != OK)
		return err;
	if (status == 128 + SIGINT) {
		cli_say("interrupted; %s", rotation->go_on);
		wait_die(SIGINT);
	}
	err = versions_read(rotation->cli, &rotation->standing);
	return err == OK ? judge_test(rotation, seen, status) : rotation_stop(rotation, err);
}
