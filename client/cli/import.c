/*
 * Takes credentials over from a .env file or a service.  Everything is read and judged first; one doubtful
 * line, and nothing is stored.  Shown are names, places and versions, never a value (P1, P3).  Storing is left to
 * import_send.c.
 */
#include "import.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dotenv.h"
#include "import_send.h"
#include "unitfile.h"

static void clear_import(struct import *import)
{
	harvest_deinit(&import->harvest);
	buf_clear(&import->result);
}

#define IMPORT_AUTO __attribute__((cleanup(clear_import))) struct import

/* All at once, so that a file is mended in one go. */
static size_t show_problems(const struct import *import)
{
	size_t count = 0;

	for (size_t i = 0; i < import->harvest.problem_count; i++) {
		const struct problem *problem = &import->harvest.problems[i];
		BUF_AUTO place = {0};

		/* A line of no known key may be a part of anything. */
		if (problem->key[0] != '\0' && !import_wants(import, problem->key))
			continue;
		import_append_place(&place, &problem->place);
		buf_append_byte(&place, '\0');
		cli_say("%s: %s", buf_failed(&place) ? "" : place.bytes, problem->text);
		count++;
	}
	return count;
}

static enum err gather(struct import *import)
{
	struct cli *cli = import->cli;
	const char *path = args_text(&cli->args, SLOT_FILE);
	const char *root = args_text(&cli->args, SLOT_ROOT);
	struct harvest_file *file = NULL;

	if ((path == NULL) == (import->unit == NULL))
		return cli_usage(cli, "name either a FILE or --unit NAME.service");
	if (path != NULL) {
		enum err err = harvest_read_typed(&import->harvest, path, &file);

		if (err == OK)
			dotenv_parse(&import->harvest, file, DOTENV_LIBRARIES);
		else if (show_problems(import) > 0)
			return cli_fail(cli, err, "cannot be read");
		return err;
	}

	enum err err = unitfile_read(&import->harvest, root == NULL ? "" : root, import->unit);

	if (err == ERR_NOT_FOUND)
		return cli_fail(cli, err, "there is no unit file for %s, or it is masked", import->unit);
	return err == OK ? OK : cli_fail(cli, err, "%s: %s", import->unit, err_text(err));
}

static bool has_effective(const struct harvest *harvest, const char *key, size_t key_len)
{
	for (size_t i = 0; i < harvest->assignment_count; i++) {
		const struct assignment *assignment = &harvest->assignments[i];

		if (assignment->is_effective && strlen(assignment->key) == key_len &&
			memcmp(assignment->key, key, key_len) == 0)
			return true;
	}
	return false;
}

/* Each key that was asked for must be there. */
static enum err check_wanted(const struct import *import)
{
	size_t cursor = 0;
	const struct args *args = &import->cli->args;

	for (const char *list = args_next(args, FIELD_ONLY, &cursor); list != NULL;
		list = args_next(args, FIELD_ONLY, &cursor)) {
		for (size_t len = 0; *list != '\0'; list += len + (list[len] == ',')) {
			len = strcspn(list, ",");
			if (!has_effective(&import->harvest, list, len))
				return cli_fail(
					import->cli, ERR_NOT_FOUND, "%.*s is not set there", (int)len, list);
		}
	}
	return OK;
}

static enum err judge(const struct import *import)
{
	size_t wanted = 0;

	if (import->harvest.has_failed)
		return cli_fail(import->cli, ERR_INTERNAL, "no memory");
	if (show_problems(import) > 0)
		return cli_fail(import->cli, ERR_BAD_VALUE,
			"nothing was stored: mend these lines, or name the keys to take with --only KEY,KEY");

	enum err err = check_wanted(import);

	if (err != OK)
		return err;
	for (size_t i = 0; i < import->harvest.assignment_count; i++) {
		const struct assignment *assignment = &import->harvest.assignments[i];

		wanted += assignment->is_effective && import_wants(import, assignment->key);
	}
	return wanted > 0 ? OK : cli_fail(import->cli, ERR_NOT_FOUND, "nothing is set there");
}

enum err import_run(struct cli *cli)
{
	IMPORT_AUTO import = {
		.cli = cli,
		.integration = args_text(&cli->args, FIELD_INTEGRATION),
		.unit = args_text(&cli->args, SLOT_UNIT),
		.is_dry = args_text(&cli->args, SLOT_DRY_RUN) != NULL,
	};

	if (!text_is_integration_name(import.integration, strlen(import.integration)))
		return cli_usage(cli, "the name of an integration is [workspace/]slug");
	cli_guard();

	enum err err = gather(&import);

	if (err == OK)
		err = judge(&import);
	return err == OK ? import_send(&import) : err;
}
