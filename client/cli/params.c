/*
 * From arguments to the members of a request: each text becomes the JSON that its field's type asks for.
 * Whether it is acceptable is the daemon's to say; only what could not even be written is refused here.
 */
#include "params.h"

#include <string.h>

#include "args.h"
#include "cli.h"
#include "commands.h"
#include "gate.h"

static const int64_t COUNT_MAX = 9007199254740991; /* 2^53-1: what the protocol's integers hold */

static const char *const conditions[] = {"user", "group", "unit"};

struct writing {
	const struct cli *cli;
	struct json_writer *w;
	enum field field;
};

static bool is_operand(const struct writing *writing)
{
	for (const struct operand *o = writing->cli->command->operands; o->need != NEED_NONE; o++) {
		if (o->slot == writing->field)
			return true;
	}
	return false;
}

static enum err refuse(const struct writing *writing, const char *why)
{
	return cli_usage(writing->cli, "%s%s: %s", is_operand(writing) ? "" : "--",
		options_of(writing->field).name, why);
}

static enum err write_text(const struct writing *writing, const char *text, size_t len)
{
	if (!gate_is_utf8(text, len))
		return refuse(writing, "not UTF-8");
	json_write_text(writing->w, text, len);
	return OK;
}

/* For a word that is no state there is never anything to list, which would read like an answer. */
static enum err check_state(const struct writing *writing, const char *text)
{
	static const char *const integrations[] = {"active", "suspended", "retired", NULL};
	static const char *const requests[] = {"pending", "approved", "rejected", "expired", NULL};
	bool is_of_requests = writing->cli->command->kind == REQUEST_APPROVAL_LIST;
	const char *const *state = is_of_requests ? requests : integrations;

	for (; *state != NULL; state++) {
		if (strcmp(*state, text) == 0)
			return OK;
	}
	return refuse(writing,
		is_of_requests ? "pending, approved, rejected or expired" : "active, suspended or retired");
}

static enum err read_count(const struct writing *writing, const char *text, int64_t *out)
{
	*out = 0;
	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return refuse(writing, "not a number");
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return refuse(writing, "not a number");
		*out = *out * 10 + (*text - '0');
		if (*out > COUNT_MAX)
			return refuse(writing, "too large a number");
	}
	return OK;
}

static enum err write_count(const struct writing *writing, const char *text)
{
	int64_t value = 0;

	/* An edit takes a number back by an empty text, as any other field. */
	if (*text == '\0' && writing->cli->command->kind == REQUEST_INTEGRATION_EDIT) {
		json_write_text(writing->w, text, 0);
		return OK;
	}

	enum err err = read_count(writing, text, &value);

	if (err == OK)
		json_write_integer(writing->w, value);
	return err;
}

/* Lines may hold commas, keys cannot. */
static enum err write_list(const struct writing *writing, bool has_commas)
{
	size_t cursor = 0;
	enum err err = OK;

	json_begin_array(writing->w);
	for (const char *text = args_next(&writing->cli->args, writing->field, &cursor);
		text != NULL && err == OK; text = args_next(&writing->cli->args, writing->field, &cursor)) {
		for (size_t len = 0; *text != '\0' && err == OK; text += len + (text[len] == ',')) {
			len = has_commas ? strcspn(text, ",") : strlen(text);
			err = write_text(writing, text, len);
		}
	}
	json_end_array(writing->w);
	return err;
}

static bool is_condition(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (strlen(conditions[i]) == len && memcmp(conditions[i], name, len) == 0)
			return true;
	}
	return false;
}

/* True when something before index has the same name before its equals sign. */
static bool is_repeated(const struct writing *writing, const char *text, size_t name_len)
{
	size_t cursor = 0;
	const char *other = args_next(&writing->cli->args, writing->field, &cursor);

	for (; other != NULL && other != text;
		other = args_next(&writing->cli->args, writing->field, &cursor)) {
		if (strncmp(other, text, name_len + 1) == 0)
			return true;
	}
	return false;
}

/* The one condition without a value. */
static enum err write_token(const struct writing *writing, const char *text)
{
	size_t cursor = 0;

	for (const char *other = args_next(&writing->cli->args, writing->field, &cursor); other != text;
		other = args_next(&writing->cli->args, writing->field, &cursor)) {
		if (strcmp(other, text) == 0)
			return refuse(writing, "the same key twice");
	}
	json_put_bool(writing->w, text, true);
	return OK;
}

static enum err write_pair(const struct writing *writing, const char *text, bool is_rule)
{
	size_t len = strcspn(text, "=");

	if (is_rule && strcmp(text, "token") == 0)
		return write_token(writing, text);
	if (is_rule && !is_condition(text, len))
		return refuse(writing, "a condition is user=NAME, group=NAME, unit=NAME or token");
	if (text[len] != '=' || len == 0)
		return refuse(writing, "must be KEY=VALUE");
	if (is_repeated(writing, text, len))
		return refuse(writing, "the same key twice");
	/* The gate wants keys as plain text. */
	if (!gate_is_utf8(text, len) || json_escaped_len(text, len) != len + 2)
		return refuse(writing, "a key must be plain text");
	json_key_text(writing->w, text, len);
	return write_text(writing, text + len + 1, strlen(text + len + 1));
}

static enum err write_map(const struct writing *writing, bool is_rule)
{
	size_t cursor = 0;
	enum err err = OK;

	json_begin_object(writing->w);
	for (const char *text = args_next(&writing->cli->args, writing->field, &cursor);
		text != NULL && err == OK; text = args_next(&writing->cli->args, writing->field, &cursor)) {
		/* An empty one alone empties the map of an object that is edited. */
		if (*text != '\0')
			err = write_pair(writing, text, is_rule);
	}
	json_end_object(writing->w);
	return err;
}

static enum err write_field(const struct writing *writing, const char *text)
{
	const struct field_info *info = field_info(writing->field);
	enum field_type type = info->type;

	json_key(writing->w, info->wire);
	if (type == FIELD_TYPE_LINES || type == FIELD_TYPE_KEYS)
		return write_list(writing, type == FIELD_TYPE_KEYS);
	if (type == FIELD_TYPE_MAP || type == FIELD_TYPE_CREDENTIALS || type == FIELD_TYPE_RULE)
		return write_map(writing, type == FIELD_TYPE_RULE);
	if (type == FIELD_TYPE_COUNT)
		return write_count(writing, text);
	if (writing->field == FIELD_STATE && check_state(writing, text) != OK)
		return ERR_USAGE;
	if (type != FIELD_TYPE_FLAG)
		return write_text(writing, text, strlen(text));
	json_write_bool(writing->w, true);
	return OK;
}

enum err params_write(const struct cli *cli, enum request_kind kind, struct json_writer *w)
{
	const struct request_info *request = request_info(kind);
	enum err err = OK;

	for (size_t i = 0; i < request->field_count && err == OK; i++) {
		struct writing writing = {.cli = cli, .w = w, .field = request->fields[i].field};
		const char *text = args_text(&cli->args, writing.field);

		if (text != NULL)
			err = write_field(&writing, text);
	}
	return err;
}

enum err params_count(const struct cli *cli, enum field field, int64_t *out)
{
	struct writing writing = {.cli = cli, .field = field};
	const char *text = args_text(&cli->args, field);

	return text == NULL ? OK : read_count(&writing, text, out);
}
