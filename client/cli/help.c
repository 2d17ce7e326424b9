/*
 * Explains what the tables hold; there is no other text to keep in step with them.
 */
#include "help.h"

#include <string.h>

#include "commands.h"

static const char run_words[] = "run";
static const char run_text[] = "start a program with its credentials in its environment: coffer run --help";

static void print_row(FILE *stream, const char *left, const char *text)
{
	enum { LEFT_WIDTH = 26 };

	if (strlen(left) >= LEFT_WIDTH)
		fprintf(stream, "  %s\n  %-*s %s\n", left, LEFT_WIDTH, "", text);
	else
		fprintf(stream, "  %-*s %s\n", LEFT_WIDTH, left, text);
}

static void print_option(FILE *stream, const struct option *option)
{
	char left[80] = "";
	char text[256] = "";

	(void)snprintf(left, sizeof(left), "--%s%s%s", option->name,
		option->metavar == NULL || option->may_stand_alone ? "" : " ",
		option->metavar == NULL ? "" : option->metavar);
	(void)snprintf(text, sizeof(text), "%s%s%s", option->text, option->is_needed ? " (needed)" : "",
		option->is_list ? " (may be repeated)" : "");
	print_row(stream, left, text);
}

static void operand_name(const struct operand *operand, char out[40])
{
	struct option option = options_of(operand->slot);
	size_t len = strlen(option.name);

	for (size_t i = 0; i <= len; i++) {
		bool is_lower = option.name[i] >= 'a' && option.name[i] <= 'z';

		out[i] = is_lower ? (char)(option.name[i] - 'a' + 'A') : option.name[i];
	}
}

static void print_usage(FILE *stream, const struct command *command)
{
	fprintf(stream, "usage: coffer %s", command->words);
	for (const struct operand *o = command->operands; o->need != NEED_NONE; o++) {
		char name[40] = "";

		operand_name(o, name);
		bool is_optional = o->need == NEED_MAYBE || o->need == NEED_ANY;

		fputs(is_optional ? " [" : " ", stream);
		fputs(name, stream);
		fputs(o->need == NEED_SOME || o->need == NEED_ANY ? "..." : "", stream);
		fputs(is_optional ? "]" : "", stream);
	}
	fputs(command->starts_program ? " [options] [-- CMD ARG...]\n" : " [options]\n", stream);
}

/* Those of every command come last; one whose name the command's own request has is not among them. */
static void print_options(FILE *stream, const struct command *command)
{
	struct option options[SLOT_COUNT];
	size_t count = options_list(command, options);
	size_t own = 0;

	while (own < count && options[own].slot != SLOT_JSON)
		own++;
	if (own > 0)
		fputs("\noptions:\n", stream);
	for (size_t i = 0; i < own; i++)
		print_option(stream, &options[i]);
	fputs("\noptions of every command:\n", stream);
	for (size_t i = own; i < count; i++)
		print_option(stream, &options[i]);
}

void help_overview(FILE *stream, const char *noun)
{
	size_t count = 0;
	size_t noun_len = noun == NULL ? 0 : strlen(noun);
	const struct command *commands = commands_all(&count);

	fprintf(stream, "usage: coffer %s [arguments] [options]\n\n", noun == NULL ? "COMMAND" : noun);
	for (size_t i = 0; i < count; i++) {
		if (noun == NULL || (strncmp(commands[i].words, noun, noun_len) == 0 &&
					    commands[i].words[noun_len] == ' '))
			print_row(stream, commands[i].words, commands[i].text);
	}
	if (noun == NULL)
		print_row(stream, run_words, run_text);
	fprintf(stream, "\ncoffer %s --help explains one of them%s.  Manual: coffer%s%s(1)%s\n",
		noun == NULL ? "COMMAND" : "NOUN VERB",
		noun == NULL ? "; coffer --version tells the version" : "", noun == NULL ? "" : "-",
		noun == NULL ? "" : noun, noun == NULL ? ", introduction: coffer(7)" : "");
}

void help_command(FILE *stream, const struct command *command)
{
	print_usage(stream, command);
	fprintf(stream, "\n%c%s.\n", command->text[0] - 'a' + 'A', command->text + 1);
	if (command->operands[0].need != NEED_NONE)
		fputc('\n', stream);
	for (const struct operand *o = command->operands; o->need != NEED_NONE; o++) {
		char name[40] = "";

		operand_name(o, name);
		print_row(stream, name, options_of(o->slot).text);
	}
	print_options(stream, command);
	fprintf(stream, "\nexample:\n  %s\n", command->example);
	/* There is a page, or a link to one, by the first word of each command. */
	fprintf(stream, "\nmanual: coffer-%.*s(1)\n", (int)strcspn(command->words, " "), command->words);
}
