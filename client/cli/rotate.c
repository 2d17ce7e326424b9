/*
 * Takes a secret from one value to the next, step by step.  Each step is the daemon's, and whatever ends in between
 * leaves the old value in use or the new one staged: what comes next is found out from where the versions stand, so
 * any rotation can be taken up again by anybody.  Nothing here ever forces anything.
 */
#include "rotate.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "revoke.h"
#include "rotation.h"
#include "secret_put.h"
#include "test_token.h"
#include "wait.h"

static void clear_rotation(struct rotation *rotation)
{
	secret_test_clear(&rotation->test);
}

#define ROTATION_AUTO __attribute__((cleanup(clear_rotation))) struct rotation

void rotation_say(const struct rotation *rotation, int step, const char *format, ...)
{
	va_list arguments;

	if (cli_is_json(rotation->cli))
		return;
	printf("%d/%d ", step, ROTATION_STEPS);
	va_start(arguments, format);
	(void)vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	(void)fflush(stdout);
}

enum err rotation_stop(const struct rotation *rotation, enum err err)
{
	(void)cli_report(rotation->cli, err);
	cli_say("%s", rotation->go_on);
	return err;
}

/* With --json each step's result is a line of its own. */
static void show_json(const struct rotation *rotation, const struct reply *reply)
{
	if (cli_is_json(rotation->cli))
		(void)cli_show(rotation->cli, reply);
	(void)fflush(stdout);
}

static void set_staged(struct rotation *rotation, int64_t version)
{
	long long number = (long long)version;

	rotation->version = version;
	(void)snprintf(rotation->go_on, sizeof(rotation->go_on),
		"version %lld stays staged: coffer rotate %s %s --resume goes on with it, "
		"coffer secret revoke %s %s %lld destroys it",
		number, rotation->integration, rotation->key, rotation->integration, rotation->key, number);
}

static void set_draining(struct rotation *rotation)
{
	(void)snprintf(rotation->go_on, sizeof(rotation->go_on),
		"older versions are not revoked yet: coffer rotate %s %s --resume goes on",
		rotation->integration, rotation->key);
}

/* ---- before anything is done ---- */

static enum err check_resume(const struct cli *cli)
{
	static const unsigned of_a_value[] = {SLOT_GENERATE, SLOT_TO_STDIN_OF, SLOT_EXACT, FIELD_MULTILINE,
		FIELD_NOTE, FIELD_ISSUER_REF, FIELD_EXPIRES_AT};

	if (args_text(&cli->args, SLOT_RESUME) == NULL)
		return OK;
	for (size_t i = 0; i < sizeof(of_a_value) / sizeof(of_a_value[0]); i++) {
		if (args_text(&cli->args, of_a_value[i]) != NULL)
			return cli_usage(cli,
				"--resume goes on with the value that is staged: leave --%s out",
				options_of(of_a_value[i]).name);
	}
	return OK;
}

static enum err check_arguments(struct rotation *rotation)
{
	const struct cli *cli = rotation->cli;
	enum err err = versions_check_names(cli);

	if (err == OK)
		err = value_check_arguments(cli);
	if (err == OK)
		err = check_resume(cli);
	if (err == OK)
		err = wait_timeout(cli, &rotation->timeout_ms);
	if (err == OK)
		err = secret_test_check_limit(cli);
	if (err == OK)
		err = test_token_check(cli);
	return err;
}

static enum err read_standing(struct rotation *rotation)
{
	enum err err = versions_read(rotation->cli, &rotation->standing);

	return err == OK ? OK : cli_report(rotation->cli, err);
}

/* The key of a first value is not there yet. */
static enum err read_first_standing(struct rotation *rotation)
{
	enum err err = versions_read(rotation->cli, &rotation->standing);
	bool may_be_new = args_text(&rotation->cli->args, SLOT_RESUME) == NULL;

	return err == OK || (err == ERR_NOT_FOUND && may_be_new) ? OK : cli_report(rotation->cli, err);
}

/* ---- 1: the new value ---- */

static enum err refuse_staged(const struct rotation *rotation)
{
	long long staged = (long long)rotation->standing.staged;

	return cli_fail(rotation->cli, ERR_CONFLICT,
		"version %lld is staged already: --resume goes on with it, "
		"coffer secret revoke %s %s %lld destroys it",
		staged, rotation->integration, rotation->key, staged);
}

static enum err stage(struct rotation *rotation)
{
	ARENA_AUTO arena = {0};
	REPLY_AUTO reply = {0};
	struct secret value = {0};
	/* Whoever else makes a version meanwhile is noticed. */
	struct put put = {
		.cli = rotation->cli, .is_staged = true, .expect_version = rotation->standing.newest};

	if (rotation->standing.staged != 0)
		return refuse_staged(rotation);
	if (arena_init(&arena, VALUE_SEND_BYTES + VALUE_GET_BYTES, false) != OK)
		return cli_fail(rotation->cli, ERR_INTERNAL, "not enough memory may be locked (ulimit -l)");

	enum err err = value_get(rotation->cli, &arena, &value);

	if (err == OK)
		err = secret_put_deliver(rotation->cli, &put, &arena, &value, &reply);
	if (err != OK)
		return err;
	set_staged(rotation, reply_integer(&reply, NULL, "version"));
	show_json(rotation, &reply);
	rotation_say(rotation, 1, "staged version %lld", (long long)rotation->version);
	return OK;
}

/* ---- 3: it becomes current ---- */

static enum err promote(struct rotation *rotation, int64_t newest)
{
	const struct version_request request = {
		.kind = REQUEST_SECRET_PROMOTE, .version = rotation->version, .expect_version = newest};
	REPLY_AUTO reply = {0};
	enum err err = versions_try(rotation->cli, &request, &reply);
	long long replaced = reply_integer(&reply, NULL, "replaced");

	if (err != OK)
		return rotation_stop(rotation, err);
	show_json(rotation, &reply);
	set_draining(rotation);
	if (replaced > 0)
		rotation_say(rotation, 3, "version %lld is current, version %lld is draining",
			(long long)rotation->version, replaced);
	else
		rotation_say(rotation, 3, "version %lld is current", (long long)rotation->version);
	return OK;
}

/* ---- 4 and 5: the older ones go ---- */

static enum err revoke_oldest(const struct rotation *rotation)
{
	const struct draining draining = {
		.cli = rotation->cli,
		.version = rotation->standing.draining,
		.timeout_ms = rotation->timeout_ms,
		.go_on = rotation->go_on,
	};
	REPLY_AUTO reply = {0};

	rotation_say(
		rotation, 4, "waiting until nobody holds version %lld any more", (long long)draining.version);

	enum err err = revoke_when_drained(&draining, &reply);

	if (err != OK)
		return err;
	show_json(rotation, &reply);
	if (cli_is_json(rotation->cli))
		return OK;
	printf("%d/%d ", ROTATION_STEPS, ROTATION_STEPS);
	return revoke_print(&reply);
}

static enum err finish(struct rotation *rotation)
{
	enum err err = read_standing(rotation);

	if (err == OK && rotation->standing.draining == 0 && !cli_is_json(rotation->cli))
		puts("there is no older version to revoke");
	while (err == OK && rotation->standing.draining != 0) {
		err = revoke_oldest(rotation);
		if (err == OK)
			err = read_standing(rotation);
	}
	return err;
}

static enum err go_on(struct rotation *rotation)
{
	/* Of the new version, or as it was when somebody decided to go on. */
	int64_t newest =
		rotation->standing.newest > rotation->version ? rotation->standing.newest : rotation->version;
	enum err err = rotate_test(rotation);

	if (err == OK)
		err = promote(rotation, newest);
	return err == OK ? finish(rotation) : err;
}

static enum err resume(struct rotation *rotation)
{
	const struct standing *standing = &rotation->standing;
	enum err err = OK;

	set_draining(rotation);
	if (standing->staged == 0 && standing->draining == 0) {
		if (!cli_is_json(rotation->cli))
			puts("nothing to go on with: no version is staged, and no older one is draining");
		return OK;
	}
	if (standing->staged == 0)
		return finish(rotation);
	if (standing->staged < standing->current)
		return cli_fail(rotation->cli, ERR_CONFLICT,
			"version %lld has become current since version %lld was staged: "
			"promote or revoke the staged one by itself",
			(long long)standing->current, (long long)standing->staged);
	set_staged(rotation, standing->staged);
	if (!standing->is_tested)
		err = rotate_test_prepare(rotation);
	if (err != OK)
		return err;
	rotation_say(rotation, 1, "version %lld is staged", (long long)rotation->version);
	return go_on(rotation);
}

static enum err start(struct rotation *rotation)
{
	enum err err = rotate_test_prepare(rotation);

	if (err == OK)
		err = stage(rotation);
	return err == OK ? go_on(rotation) : err;
}

enum err rotate_run(struct cli *cli)
{
	ROTATION_AUTO rotation = {
		.cli = cli,
		.integration = args_text(&cli->args, FIELD_INTEGRATION),
		.key = args_text(&cli->args, FIELD_KEY),
	};

	cli_guard();

	enum err err = check_arguments(&rotation);

	if (err == OK)
		err = read_first_standing(&rotation);
	if (err != OK)
		return err;
	return args_text(&cli->args, SLOT_RESUME) != NULL ? resume(&rotation) : start(&rotation);
}
