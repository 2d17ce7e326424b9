/*
 * Makes the options of a command from the fields of its request.  A value is never one of them: every process
 * on the host can read the arguments of another (P1).  Parsing is left to args.c, explaining to help.c.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"

static const unsigned common[] = {SLOT_JSON, SLOT_SOCKET, SLOT_USER, SLOT_HELP};

static const char *metavar_of(enum field_type type)
{
	static const char *const metavars[] = {
		[FIELD_TYPE_LINE] = "TEXT",
		[FIELD_TYPE_TEXT] = "TEXT",
		[FIELD_TYPE_LINES] = "TEXT",
		[FIELD_TYPE_WORD] = "WORD",
		[FIELD_TYPE_SLUG] = "NAME",
		[FIELD_TYPE_INTEGRATION_NAME] = "NAME",
		[FIELD_TYPE_KEY] = "KEY",
		[FIELD_TYPE_KEYS] = "KEY,KEY",
		[FIELD_TYPE_ENCODING] = "WORD",
		[FIELD_TYPE_ACCESS] = "WORD",
		[FIELD_TYPE_ENVIRONMENT] = "WORD",
		[FIELD_TYPE_DURATION] = "DURATION",
		[FIELD_TYPE_PERIOD] = "DURATION",
		[FIELD_TYPE_TIME] = "TIME",
		[FIELD_TYPE_COUNT] = "N",
		[FIELD_TYPE_HEX32] = "HEX",
		[FIELD_TYPE_HEX64] = "HEX",
		[FIELD_TYPE_RUN] = "RUN",
		[FIELD_TYPE_MAP] = "KEY=VALUE",
		[FIELD_TYPE_CREDENTIAL] = "NAME",
		[FIELD_TYPE_CREDENTIALS] = "NAME=KEY",
		[FIELD_TYPE_RULE] = "CONDITION",
		[FIELD_TYPE_TOKEN] = "TOKEN",
	};

	return (size_t)type < sizeof(metavars) / sizeof(metavars[0]) ? metavars[type] : NULL;
}

/* Where the type alone says too little. */
static const char *metavar_of_field(enum field field)
{
	static const struct {
		enum field field;
		const char *metavar;
	} metavars[] = {
		{FIELD_USER, "USER"},
		{FIELD_TOUCHED_BY, "USER"},
		{FIELD_MANAGED_BY, "USER"},
		{FIELD_UNIT, "UNIT"},
		{FIELD_TEST, "COMMAND"},
		{FIELD_UID, "UID"},
	};

	for (size_t i = 0; i < sizeof(metavars) / sizeof(metavars[0]); i++)
		if (metavars[i].field == field)
			return metavars[i].metavar;
	return metavar_of(field_info(field)->type);
}

static struct option field_option(enum field field)
{
	const struct field_info *info = field_info(field);
	struct option option = {
		.slot = field,
		.metavar = info->type == FIELD_TYPE_FLAG ? NULL : metavar_of_field(field),
		.text = info->text,
		.is_list = info->type == FIELD_TYPE_LINES || info->type == FIELD_TYPE_KEYS ||
			   info->type == FIELD_TYPE_MAP || info->type == FIELD_TYPE_CREDENTIALS,
	};

	/* Each is given by itself. */
	if (field == FIELD_CREDENTIALS)
		info = field_info(FIELD_CREDENTIAL);
	for (size_t i = 0; info->wire[i] != '\0' && i < sizeof(option.name) - 1; i++)
		option.name[i] = info->wire[i] == '_' ? '-' : info->wire[i];
	return option;
}

struct option options_of(unsigned slot)
{
	static const struct {
		const char *typed;
		const char *metavar;
		const char *text;
	} own[] = {
#define OPTION(name, typed, metavar, text) {typed, metavar, text},
#include "options.def"
#undef OPTION
	};

	if (slot < FIELD_COUNT)
		return field_option((enum field)slot);

	struct option option = {
		.slot = slot,
		.metavar = own[slot - FIELD_COUNT].metavar,
		.text = own[slot - FIELD_COUNT].text,
		.is_list = slot == SLOT_EXCEPT,
	};

	option.may_stand_alone = option.metavar != NULL && option.metavar[0] == '[';
	(void)snprintf(option.name, sizeof(option.name), "%s", own[slot - FIELD_COUNT].typed);
	return option;
}

static bool is_operand(const struct command *command, unsigned slot)
{
	for (const struct operand *o = command->operands; o->need != NEED_NONE; o++) {
		if (o->slot == slot)
			return true;
	}
	return false;
}

/* P1: see above.  How a value is written is found out, not asked. */
static bool is_hidden(enum field field)
{
	return field == FIELD_VALUE || field == FIELD_ENCODING;
}

static size_t add_request_options(const struct command *command, struct option out[SLOT_COUNT])
{
	const struct request_info *request =
		command->kind == REQUEST_COUNT ? NULL : request_info(command->kind);
	size_t count = 0;

	for (size_t i = 0; request != NULL && i < request->field_count; i++) {
		const struct field_use *use = &request->fields[i];

		if (is_operand(command, use->field) || is_hidden(use->field))
			continue;
		out[count] = options_of(use->field);
		out[count].is_needed = use->is_needed;
		count++;
	}
	return count;
}

/* A command whose request has a field of this name means that: there --socket alone reaches another vault. */
static bool is_taken(const struct option *options, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(options[i].name, name) == 0)
			return true;
	return false;
}

size_t options_list(const struct command *command, struct option out[SLOT_COUNT])
{
	size_t count = command == NULL ? 0 : add_request_options(command, out);

	for (size_t i = 0; command != NULL && command->options[i] != 0; i++)
		out[count++] = options_of(command->options[i]);
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		struct option option = options_of(common[i]);

		if (!is_taken(out, count, option.name))
			out[count++] = option;
	}
	return count;
}

bool options_take_value(const struct command *command)
{
	const struct request_info *request =
		command == NULL || command->kind == REQUEST_COUNT ? NULL : request_info(command->kind);

	if (command != NULL && command->takes_value)
		return true;

	for (size_t i = 0; request != NULL && i < request->field_count; i++) {
		if (request->fields[i].field == FIELD_VALUE)
			return true;
	}
	return false;
}
