/*
 * Prepares the test of a staged version and leaves it to `coffer run`, so that the value goes from the daemon into the
 * command and nowhere else; nothing here ever has it (P1).
 */
#include "secret_test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "cli.h"
#include "quote.h"
#include "test_token.h"
#include "versions.h"

#define RUN_NAME "coffer"

void secret_test_clear(struct secret_test *test)
{
	free(test->own);
	*test = (struct secret_test){0};
}

enum err secret_test_read_own(struct cli *cli, struct secret_test *test)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);

	json_begin_object(&w);
	json_put_string(&w, field_info(FIELD_NAME)->wire, args_text(&cli->args, FIELD_INTEGRATION));
	json_end_object(&w);

	enum err err = cli_call(cli, request_info(REQUEST_INTEGRATION_SHOW)->method, &params, &reply);
	const struct json_token *own = err == OK ? reply_at(&reply, NULL, "integration.test") : NULL;
	size_t len = 0;

	if (own == NULL || own->type != JSON_STRING || own->len == 0)
		return err;
	test->own = malloc(json_text_len(&reply.doc, own) + 1);
	if (test->own == NULL ||
		json_text(&reply.doc, own, test->own, json_text_len(&reply.doc, own) + 1, &len) != OK)
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	return OK;
}

void secret_test_use_shell(struct secret_test *test, const char *text)
{
	test->shell[0] = "/bin/sh";
	test->shell[1] = "-c";
	test->shell[2] = text;
	test->command = test->shell;
	test->count = 3;
}

enum err secret_test_find_account(struct cli *cli, struct secret_test *test)
{
	test->has_account = geteuid() == 0;
	if (test->has_account)
		return account_find(cli, &test->account);
	if (args_text(&cli->args, SLOT_AS) != NULL)
		return cli_usage(cli, "--as: only root can become another user");
	return OK;
}

enum err secret_test_check_limit(const struct cli *cli)
{
	const char *text = args_text(&cli->args, SLOT_TIME_LIMIT);

	if (text == NULL || (*text != '0' && strspn(text, "0123456789") == strlen(text) && *text != '\0'))
		return OK;
	return cli_usage(cli, "--time-limit: a number of seconds");
}

enum { RUN_WORDS_MAX = 16, DIGEST_TEXT_BYTES = 2 * COMMAND_DIGEST_BYTES + 1 };

static void write_digest(const struct secret_test *test, char out[DIGEST_TEXT_BYTES])
{
	unsigned char digest[COMMAND_DIGEST_BYTES];

	command_digest(test->command, test->count, digest);
	hex_encode(digest, sizeof(digest), out);
	out[DIGEST_TEXT_BYTES - 1] = '\0';
}

/* An option that was given to this command and is run's as well. */
static size_t pass_on(
	const struct cli *cli, unsigned slot, const char *typed, const char **words, size_t count)
{
	const char *text = args_text(&cli->args, slot);

	if (text == NULL)
		return count;
	words[count++] = typed;
	if (*text != '\0')
		words[count++] = text;
	return count;
}

static size_t begin_words(const struct cli *cli, const char *digest, const char *words[RUN_WORDS_MAX])
{
	size_t count = 0;

	words[count++] = RUN_NAME;
	words[count++] = "run";
	words[count++] = args_text(&cli->args, FIELD_INTEGRATION);
	words[count++] = "--staged";
	words[count++] = "--verdict";
	words[count++] = digest;
	count = pass_on(cli, SLOT_TIME_LIMIT, "--time-limit", words, count);
	count = pass_on(cli, SLOT_SOCKET, "--socket", words, count);
	if (args_text(&cli->args, SLOT_SOCKET) == NULL)
		count = pass_on(cli, SLOT_USER, "--user", words, count);
	count = pass_on(cli, SLOT_TOKEN_FILE, "--token-file", words, count);
	count = pass_on(cli, SLOT_TOKEN_FD, "--token-fd", words, count);
	words[count++] = "--";
	return count;
}

/* The program beside this one, in a build or in its installed tree, else the one on PATH. */
static void become_run(char *const *words)
{
	static const char *const places[] = {RUN_NAME, "../../bin/" RUN_NAME};
	char own[PATH_MAX] = "";
	char place[PATH_MAX + 32] = "";
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	const char *slash = len > 0 ? memrchr(own, '/', (size_t)len) : NULL;

	for (size_t i = 0; slash != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
		(void)snprintf(place, sizeof(place), "%.*s/%s", (int)(slash - own), own, places[i]);
		(void)execv(place, words);
	}
	(void)execvp(RUN_NAME, words);
}

enum err secret_test_exec(const struct cli *cli, const struct secret_test *test)
{
	char digest[DIGEST_TEXT_BYTES] = "";
	const char **words = calloc(RUN_WORDS_MAX + test->count + 1, sizeof(*words));
	enum err err = OK;

	if (words == NULL)
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	write_digest(test, digest);

	size_t count = begin_words(cli, digest, words);

	memcpy(words + count, test->command, test->count * sizeof(*words));
	if (test->has_account)
		err = account_become(cli, &test->account);
	if (err == OK) {
		test_token_hand_over(cli);
		become_run((char *const *)(uintptr_t)words);
		err = cli_fail(
			cli, ERR_CONFIG, "the program " RUN_NAME " cannot be started: %s", strerror(errno));
	}
	free(words);
	return err;
}

void secret_test_append_line(const struct cli *cli, const struct secret_test *test, struct buf *line)
{
	const char *words[8] = {RUN_NAME, "secret", "test", args_text(&cli->args, FIELD_INTEGRATION),
		args_text(&cli->args, FIELD_KEY)};
	size_t count = pass_on(cli, SLOT_SOCKET, "--socket", words, 5);

	if (args_text(&cli->args, SLOT_SOCKET) == NULL)
		count = pass_on(cli, SLOT_USER, "--user", words, count);
	words[count++] = "--";
	for (size_t i = 0; i < count; i++) {
		buf_append_string(line, i == 0 ? "" : " ");
		quote_append(line, words[i]);
	}
	for (size_t i = 0; i < test->count; i++) {
		buf_append_byte(line, ' ');
		quote_append(line, test->command[i]);
	}
}

static bool is_in(const struct reply *reply, const struct json_token *list, const char *text)
{
	for (const struct json_token *t = json_first(&reply->doc, list); t != NULL;
		t = json_next(&reply->doc, list, t))
		if (json_equals(&reply->doc, t, text))
			return true;
	return false;
}

/* Others may not look anything up, and asking all the same would be on record as a refusal. */
static enum err can_look_up(struct cli *cli, bool *out)
{
	REPLY_AUTO reply = {0};
	enum err err = cli_ask(cli, REQUEST_WHOAMI, &reply);

	if (err != OK)
		return err;

	const struct json_token *roles = reply_array(&reply, NULL, "roles");

	*out = (roles != NULL && roles->count > 0) ||
	       is_in(&reply, reply_array(&reply, NULL, "manages"), args_text(&cli->args, FIELD_INTEGRATION));
	return OK;
}

static enum err check_staged(struct cli *cli)
{
	struct standing standing = {0};
	enum err err = versions_read(cli, &standing);

	if (err != OK)
		return cli_report(cli, err);
	if (standing.staged == 0)
		return cli_fail(
			cli, ERR_NOT_FOUND, "no version is staged: coffer secret put --stage makes one");
	return OK;
}

/* Behind "--", or the integration's own. */
static enum err choose_command(struct cli *cli, struct secret_test *test, bool can_look)
{
	char *const *given = cli->args.program;
	enum err err = can_look ? secret_test_read_own(cli, test) : OK;

	if (err != OK)
		return err;
	if (given == NULL && test->own == NULL)
		return cli_usage(cli,
			can_look ? "the integration names no test command: give one behind --"
				 : "give the command behind --: only operators and managers can look up the "
				   "integration's own");
	if (given == NULL) {
		secret_test_use_shell(test, test->own);
		return OK;
	}
	test->command = (const char *const *)(uintptr_t)given;
	while (given[test->count] != NULL)
		test->count++;
	return OK;
}

/* A verdict that will not count should not come as a surprise. */
static void note_other_command(const struct secret_test *test)
{
	struct secret_test own = {0};
	char wanted[DIGEST_TEXT_BYTES] = "";
	char digest[DIGEST_TEXT_BYTES] = "";

	if (test->own == NULL)
		return;
	secret_test_use_shell(&own, test->own);
	write_digest(&own, wanted);
	write_digest(test, digest);
	if (strcmp(wanted, digest) != 0)
		cli_say("note: only verdicts of the integration's own test command count for secret promote");
}

enum err secret_test_run(struct cli *cli)
{
	SECRET_TEST_AUTO test = {0};
	bool can_look = false;
	enum err err = versions_check_names(cli);

	if (err == OK && cli->args.program != NULL && cli->args.program[0] == NULL)
		return cli_usage(cli, "no command behind --");
	if (err == OK)
		err = secret_test_check_limit(cli);
	if (err == OK)
		err = test_token_check(cli);
	if (err == OK)
		err = can_look_up(cli, &can_look);
	if (err == OK)
		err = choose_command(cli, &test, can_look);
	if (err == OK && can_look)
		err = check_staged(cli);
	if (err == OK)
		err = secret_test_find_account(cli, &test);
	if (err != OK)
		return err;
	note_other_command(&test);
	return secret_test_exec(cli, &test);
}
