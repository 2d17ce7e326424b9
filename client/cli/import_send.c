/*
 * Stores what an import found, key by key, and shows what was stored and where it still stands in the open.  The
 * result is made as JSON first, so that --json and the table cannot differ.
 */
#include "import_send.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "gate.h"
#include "request.h"
#include "table.h"
#include "tty_text.h"
#include "value.h"

static const struct column columns[] = {
	{"KEY", "key", SHOW_STATE},
	{"VERSION", "version", SHOW_ORDINAL},
	{"STATE", "state", SHOW_STATE},
	{"STANDS IN", "places", SHOW_TEXT},
	{0},
};

bool import_wants(const struct import *import, const char *key)
{
	return args_lists(&import->cli->args, FIELD_ONLY, key);
}

void import_append_place(struct buf *line, const struct place *place)
{
	char numbers[48] = "";

	buf_append_string(line, place->file);
	if (place->line > 0)
		(void)snprintf(numbers, sizeof(numbers), ":%u", place->line);
	if (place->last_line > place->line)
		(void)snprintf(numbers, sizeof(numbers), ":%u-%u", place->line, place->last_line);
	buf_append_string(line, numbers);
}

/* The members of secret.put beside the value. */
struct put {
	const struct import *import;
	const struct assignment *assignment;
};

static enum err write_put(struct json_writer *w, const void *context)
{
	const struct put *put = context;
	const struct secret *value = &put->assignment->value;
	BUF_AUTO note = {0};

	json_put_string(w, field_info(FIELD_INTEGRATION)->wire, put->import->integration);
	json_put_string(w, field_info(FIELD_KEY)->wire, put->assignment->key);
	if (memchr(value->bytes, '\n', value->len) != NULL || memchr(value->bytes, '\r', value->len) != NULL)
		json_put_bool(w, field_info(FIELD_MULTILINE)->wire, true);
	buf_append_string(&note, "imported from ");
	import_append_place(&note, &put->assignment->place);
	if (!buf_failed(&note) && note.len <= field_info(FIELD_NOTE)->max &&
		text_is_line(note.bytes, note.len)) {
		json_key(w, field_info(FIELD_NOTE)->wire);
		json_write_text(w, note.bytes, note.len);
	}
	return OK;
}

static void write_places(struct import *import, const char *key)
{
	json_key(&import->w, "places");
	json_begin_array(&import->w);
	for (size_t i = 0; i < import->harvest.assignment_count; i++) {
		const struct assignment *assignment = &import->harvest.assignments[i];
		BUF_AUTO place = {0};
		BUF_AUTO shown = {0};

		if (strcmp(assignment->key, key) != 0)
			continue;
		import_append_place(&place, &assignment->place);
		/* A path may be any bytes; JSON holds text only. */
		if (place.len > 0 && !gate_is_utf8(place.bytes, place.len))
			tty_text_append(&shown, place.bytes, place.len);
		if (shown.len > 0)
			json_write_text(&import->w, shown.bytes, shown.len);
		else
			json_write_text(&import->w, place.bytes, place.len);
	}
	json_end_array(&import->w);
}

static void write_stored(
	struct import *import, const struct assignment *assignment, const struct reply *reply)
{
	static const char *const members[] = {"version", "state"};

	import->stored++;
	json_begin_object(&import->w);
	json_put_string(&import->w, "key", assignment->key);
	for (size_t i = 0; !import->is_dry && i < sizeof(members) / sizeof(members[0]); i++) {
		const struct json_token *value = reply_at(reply, NULL, members[i]);
		size_t quote = value != NULL && value->type == JSON_STRING;

		if (value == NULL)
			continue;
		json_key(&import->w, members[i]);
		json_write_raw(&import->w, json_raw(&reply->doc, value) - quote, value->len + 2 * quote);
	}
	write_places(import, assignment->key);
	json_end_object(&import->w);
}

/* Each key is stored by a request of its own; what came before a failure stays stored, and is shown. */
static enum err store_all(struct import *import)
{
	ARENA_AUTO arena = {0};
	enum err err = arena_init(&arena, VALUE_SEND_BYTES, false);

	if (err != OK)
		return cli_fail(import->cli, err, "not enough memory may be locked (ulimit -l)");
	for (size_t i = 0; i < import->harvest.assignment_count && err == OK; i++) {
		const struct assignment *assignment = &import->harvest.assignments[i];
		struct put put = {.import = import, .assignment = assignment};
		REPLY_AUTO reply = {0};

		if (!assignment->is_effective || !import_wants(import, assignment->key))
			continue;
		if (!import->is_dry)
			err = value_send(import->cli, &arena, &assignment->value, write_put, &put, &reply);
		if (err == OK)
			write_stored(import, assignment, &reply);
		else
			cli_say("%s was not stored, nor were keys after it: import them later with --only",
				assignment->key);
		arena_wipe(&arena);
	}
	return err;
}

/* True when something that was imported stood in a file that others may read. */
static bool was_open_to_all(const struct import *import)
{
	for (size_t i = 0; i < import->harvest.assignment_count; i++) {
		const struct assignment *assignment = &import->harvest.assignments[i];

		for (const struct harvest_file *file = import->harvest.files; file != NULL;
			file = file->next) {
			if (file->is_open_to_all && file->path == assignment->place.file &&
				import_wants(import, assignment->key))
				return true;
		}
	}
	return false;
}

static void show_advice(const struct import *import)
{
	puts(import->is_dry ? "\nNothing was stored (--dry-run)." : "\nStored.  Now delete these lines.");
	if (import->unit != NULL && !import->is_dry)
		printf("Then: systemctl daemon-reload, and let ExecStart= begin with: coffer run %s --\n",
			import->integration);
	if (was_open_to_all(import))
		puts("Every user of this host could read some of them: replace those credentials at their "
		     "issuer.");
}

static enum err show_result(const struct import *import)
{
	REPLY_AUTO reply = {0};
	enum err err = buf_failed(&import->result) ? ERR_INTERNAL : OK;

	if (err == OK)
		err = reply_read(&reply, import->result.bytes, import->result.len);
	return err == OK ? cli_show(import->cli, &reply)
			 : cli_fail(import->cli, err, "the result cannot be shown");
}

enum err import_send(struct import *import)
{
	import->w = json_writer(&import->result);
	json_begin_object(&import->w);
	json_put_string(&import->w, "integration", import->integration);
	json_key(&import->w, "imported");
	json_begin_array(&import->w);

	enum err err = store_all(import);

	json_end_array(&import->w);
	json_end_object(&import->w);

	if (err != OK && import->stored == 0)
		return err;

	enum err shown = show_result(import);

	if (err == OK && shown == OK && !cli_is_json(import->cli))
		show_advice(import);
	return err != OK ? err : shown;
}

enum err import_print(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "imported"), columns);
}
