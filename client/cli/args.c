/*
 * Reads the command line by the command's row.  Where a command takes a value nothing unexpected is ever
 * repeated in a message: it may be the value (P1).  What texts mean is left to the daemon, but for the
 * shape that their JSON type asks for (params.c).
 */
#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "tty.h"

static const char no_value_here[] = "a value is never taken from the command line, where every process of "
				    "this host can read it: give it on "
				    "standard input, or at the prompt";

static enum err add(struct args *args, unsigned slot, const char *text, bool is_owned)
{
	if (args->count == args->cap) {
		size_t cap = args->cap == 0 ? 16 : args->cap * 2;
		struct given *grown = reallocarray(args->given, cap, sizeof(*grown));

		if (grown == NULL)
			return ERR_INTERNAL;
		args->given = grown;
		args->cap = cap;
	}
	args->given[args->count++] = (struct given){.slot = slot, .text = text, .is_owned = is_owned};
	return OK;
}

static bool find_option(const struct command *command, const char *name, size_t len, struct option *out)
{
	struct option options[SLOT_COUNT];
	size_t count = options_list(command, options);

	for (size_t i = 0; i < count; i++) {
		if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0) {
			*out = options[i];
			return true;
		}
	}
	return false;
}

static enum err refuse_option(const struct cli *cli, const char *name, size_t len)
{
	if (options_take_value(cli->command))
		return cli_usage(cli, "unknown option; %s", no_value_here);
	return cli_usage(cli, "unknown option --%.*s", (int)len, name);
}

/* --name, --name=value or --name value; *at moves over the value. */
static enum err take_option(struct cli *cli, int argc, char *const *argv, int *at)
{
	const char *name = argv[*at] + 2;
	size_t len = strcspn(name, "=");
	struct option option = {0};

	if (!find_option(cli->command, name, len, &option))
		return refuse_option(cli, name, len);

	bool has_value = name[len] == '=';
	const char *text = has_value ? name + len + 1 : "";

	if (option.metavar == NULL && has_value)
		return cli_usage(cli, "--%s takes no value", option.name);
	if (option.metavar != NULL && !has_value && !option.may_stand_alone) {
		if (*at + 1 >= argc)
			return cli_usage(cli, "--%s needs a value (%s)", option.name, option.metavar);
		text = argv[++*at];
	}
	if (!option.is_list && option.metavar != NULL && args_text(&cli->args, option.slot) != NULL)
		return cli_usage(cli, "--%s is given twice", option.name);
	return add(&cli->args, option.slot, text, false);
}

static enum err take_operand(struct cli *cli, const char *text, size_t *index)
{
	const struct operand *operand = &cli->command->operands[*index];

	if (operand->need == NEED_NONE && options_take_value(cli->command))
		return cli_usage(cli, "too many arguments; %s", no_value_here);
	if (operand->need == NEED_NONE)
		return cli_usage(cli, "too many arguments");
	*index += operand->need != NEED_SOME && operand->need != NEED_ANY;
	return add(&cli->args, operand->slot, text, false);
}

enum err args_parse(struct cli *cli, int argc, char *const *argv)
{
	bool has_ended = false;
	size_t operand = 0;
	enum err err = OK;

	for (int at = 0; at < argc && err == OK && cli->args.program == NULL; at++) {
		const char *text = argv[at];

		if (has_ended || text[0] != '-' || text[1] == '\0')
			err = take_operand(cli, text, &operand);
		else if (strcmp(text, "--") == 0 && cli->command->starts_program)
			cli->args.program = argv + at + 1;
		else if (strcmp(text, "--") == 0)
			has_ended = true;
		else if (strcmp(text, "-h") == 0)
			err = add(&cli->args, SLOT_HELP, "", false);
		else if (text[1] == '-')
			err = take_option(cli, argc, argv, &at);
		else
			err = refuse_option(cli, "", 0);
	}
	return err;
}

/* "title (one line that people recognise it by)" */
static enum err ask_option(struct cli *cli, const struct option *option)
{
	char *text = NULL;
	char prompt[256] = "";

	(void)snprintf(prompt, sizeof(prompt), "%s (%s)", option->name, option->text);
	while (text == NULL || *text == '\0') {
		free(text);
		text = NULL;
		if (tty_ask_line(prompt, &text) != OK)
			return cli_usage(cli, "--%s is missing", option->name);
	}

	enum err err = add(&cli->args, option->slot, text, true);

	if (err != OK)
		free(text);
	return err;
}

static void name_missing(struct buf *names, const char *prefix, const char *name, bool is_operand)
{
	buf_append_string(names, names->len == 0 ? "" : ", ");
	buf_append_string(names, prefix);
	for (; *name != '\0'; name++)
		buf_append_byte(
			names, is_operand && *name >= 'a' && *name <= 'z' ? (char)(*name - 32) : *name);
}

enum err args_complete(struct cli *cli)
{
	struct option options[SLOT_COUNT];
	size_t count = options_list(cli->command, options);
	BUF_AUTO names = {0};
	enum err err = OK;

	for (const struct operand *o = cli->command->operands; o->need != NEED_NONE; o++) {
		if (o->need != NEED_MAYBE && o->need != NEED_ANY && args_text(&cli->args, o->slot) == NULL)
			name_missing(&names, "", options_of(o->slot).name, true);
	}

	/* Nobody is asked for the rest of a command that is wrong anyway. */
	bool can_ask = names.len == 0 && tty_can_ask();

	for (size_t i = 0; i < count && err == OK; i++) {
		if (!options[i].is_needed || args_text(&cli->args, options[i].slot) != NULL)
			continue;
		if (can_ask)
			err = ask_option(cli, &options[i]);
		else
			name_missing(&names, "--", options[i].name, false);
	}
	if (err != OK || names.len == 0)
		return err;
	buf_append_byte(&names, '\0');
	return buf_failed(&names) ? ERR_INTERNAL : cli_usage(cli, "missing: %s", names.bytes);
}

void args_clear(struct args *args)
{
	for (size_t i = 0; i < args->count; i++) {
		if (args->given[i].is_owned)
			free((void *)(uintptr_t)args->given[i].text);
	}
	free(args->given);
	*args = (struct args){0};
}

enum err args_set(struct args *args, unsigned slot, const char *text)
{
	char *copy = strdup(text);
	size_t kept = 0;
	enum err err = copy == NULL ? ERR_INTERNAL : OK;

	for (size_t i = 0; err == OK && i < args->count; i++) {
		if (args->given[i].slot != slot)
			args->given[kept++] = args->given[i];
		else if (args->given[i].is_owned)
			free((void *)(uintptr_t)args->given[i].text);
	}
	if (err == OK) {
		args->count = kept;
		err = add(args, slot, copy, true);
	}
	if (err != OK)
		free(copy);
	return err;
}

const char *args_text(const struct args *args, unsigned slot)
{
	size_t cursor = 0;

	return args_next(args, slot, &cursor);
}

const char *args_next(const struct args *args, unsigned slot, size_t *cursor)
{
	while (*cursor < args->count) {
		const struct given *given = &args->given[(*cursor)++];

		if (given->slot == slot)
			return given->text;
	}
	return NULL;
}

bool args_lists(const struct args *args, unsigned slot, const char *word)
{
	size_t cursor = 0;
	const char *list = args_next(args, slot, &cursor);

	if (list == NULL)
		return true;
	for (; list != NULL; list = args_next(args, slot, &cursor)) {
		for (size_t len = 0; *list != '\0'; list += len + (list[len] == ',')) {
			len = strcspn(list, ",");
			if (strlen(word) == len && memcmp(list, word, len) == 0)
				return true;
		}
	}
	return false;
}
