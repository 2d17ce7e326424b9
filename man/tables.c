/*
 * Prints the tables that the manual's pages are made from, at build time: a row a line, its columns separated by tabs.
 * What a column holds is said where make_page.py reads it.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "err.h"
#include "options.h"

static void print_operands(const struct command *command)
{
	for (const struct operand *o = command->operands; o->need != NEED_NONE; o++) {
		static const char *const needs[] = {
			[NEED_ONE] = "one", [NEED_MAYBE] = "maybe", [NEED_SOME] = "some", [NEED_ANY] = "any"};
		struct option option = options_of(o->slot);

		printf("operand\t%s\t%s\t%s\t%s\n", command->words, option.name, needs[o->need], option.text);
	}
}

static void print_options(const struct command *command)
{
	struct option options[SLOT_COUNT];
	size_t count = options_list(command, options);

	for (size_t i = 0; i < count; i++)
		printf("option\t%s\t%s\t%s\t%s\t%s\t%s\n", command->words, options[i].name,
			options[i].metavar == NULL ? "" : options[i].metavar,
			options[i].is_needed ? "needed" : "", options[i].is_list ? "list" : "",
			options[i].text);
}

static void print_commands(void)
{
	size_t count = 0;
	const struct command *commands = commands_all(&count);

	for (size_t i = 0; i < count; i++) {
		printf("command\t%s\t%s\t%s\n", commands[i].words,
			commands[i].starts_program ? "program" : "", commands[i].text);
		print_operands(&commands[i]);
		print_options(&commands[i]);
	}
}

static void print_errors(void)
{
	for (enum err err = OK + 1; err < ERR_COUNT; err++)
		printf("error\t%s\t%d\t%d\t%s\n", err_word(err), err_exit_code(err),
			err_class(err) == ERR_CLASS_RETRY, err_text(err));
}

int main(void)
{
	print_commands();
	print_errors();
#define RUN_OPTION(typed, metavar, setter, text) \
	printf("option\trun\t%s\t%s\t\t\t%s\n", typed, (metavar) == NULL ? "" : (const char *)(metavar), \
		text);
#include "run_options.def"
#undef RUN_OPTION
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
