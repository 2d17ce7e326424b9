/*
 * coffer-manage: every command of coffer but run, which the program coffer does itself before it starts this
 * one under its own name.  Finds the command, reads its arguments, carries it out, and turns the outcome into
 * the exit code that errors.def gives it.
 */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "complete.h"
#include "help.h"

/* Widths and output are those of UTF-8, wherever we are. */
static void set_locale(void)
{
	if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

static bool is_option(const char *argument)
{
	return argument[0] == '-' && argument[1] != '\0';
}

/* Of the options that may stand before the command only this one takes a value. */
static bool takes_next(const char *argument)
{
	return strcmp(argument, "--socket") == 0;
}

static bool has_argument(int argc, char **argv, const char *one, const char *other)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], one) == 0 || strcmp(argv[i], other) == 0)
			return true;
	}
	return false;
}

/* Index of the first argument that is no option, or argc. */
static int find_words(int argc, char **argv)
{
	int at = 1;

	while (at < argc && is_option(argv[at]))
		at += takes_next(argv[at]) ? 2 : 1;
	return at < argc ? at : argc;
}

static enum err refuse_words(const struct cli *cli, char **words, size_t count)
{
	const char *nearest = commands_nearest(words, count);

	if (strcmp(words[0], "run") == 0)
		return cli_usage(
			cli, "run is carried out by the program coffer; start that instead of coffer-manage");
	if (commands_has_noun(words[0]) && count < 2) {
		help_overview(stderr, words[0]);
		return ERR_USAGE;
	}
	/* Asked for by everybody who comes from another vault. */
	if (count == 2 && strcmp(words[0], "secret") == 0 && strcmp(words[1], "get") == 0)
		return cli_usage(cli, "values cannot be read back; coffer run starts a program with them");
	if (nearest != NULL)
		return cli_usage(cli, "no such command: did you mean coffer %s?", nearest);
	return cli_usage(cli, "no such command");
}

/* What is left of the arguments without the words of the command. */
static enum err run_command(struct cli *cli, int argc, char **argv, int words_at, int words_used)
{
	char **rest = calloc((size_t)argc, sizeof(*rest));
	int before = words_at - 1;
	int behind = argc - words_at - words_used;

	if (rest == NULL)
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	memcpy(rest, argv + 1, (size_t)before * sizeof(*rest));
	memcpy(rest + before, argv + words_at + words_used, (size_t)behind * sizeof(*rest));

	enum err err = args_parse(cli, before + behind, rest);

	if (err == OK && args_text(&cli->args, SLOT_HELP) != NULL) {
		help_command(stdout, cli->command);
	} else if (err == OK) {
		err = args_complete(cli);
		err = err == OK ? cli->command->run(cli) : err;
	}
	/* The texts of cli->args point into argv, not into rest. */
	free(rest);
	return err;
}

/* coffer help, coffer help NOUN, coffer help NOUN VERB */
static enum err explain(const struct cli *cli, char **words, size_t count)
{
	size_t used = 0;
	const struct command *command = commands_find(words, count, &used);

	if (command != NULL)
		help_command(stdout, command);
	else if (count == 0 || (count == 1 && commands_has_noun(words[0])))
		help_overview(stdout, count == 0 ? NULL : words[0]);
	else
		return refuse_words(cli, words, count < 2 ? count : 2);
	return OK;
}

static enum err run(struct cli *cli, int argc, char **argv)
{
	int words_at = find_words(argc, argv);
	size_t count = 0;
	size_t used = 0;

	if (words_at == argc && has_argument(argc, argv, "--version", "--version")) {
		puts("coffer " COFFER_VERSION);
		return OK;
	}
	if (words_at == argc) {
		bool is_asked = has_argument(argc, argv, "--help", "-h");

		help_overview(is_asked ? stdout : stderr, NULL);
		return is_asked ? OK : ERR_USAGE;
	}
	if (strcmp(argv[words_at], COMPLETE_COMMAND) == 0)
		return complete_run(argv + words_at + 1, (size_t)(argc - words_at - 1));
	while (words_at + (int)count < argc && count < 2 && !is_option(argv[words_at + (int)count]))
		count++;
	if (count > 0 && strcmp(argv[words_at], "help") == 0)
		return explain(
			cli, argv + words_at + 1, words_at + 1 < argc ? (size_t)(argc - words_at - 1) : 0);
	cli->command = commands_find(argv + words_at, count, &used);
	if (cli->command != NULL)
		return run_command(cli, argc, argv, words_at, (int)used);
	if (count == 1 && commands_has_noun(argv[words_at]) && has_argument(argc, argv, "--help", "-h")) {
		help_overview(stdout, argv[words_at]);
		return OK;
	}
	return refuse_words(cli, argv + words_at, count);
}

int main(int argc, char **argv)
{
	struct cli cli = {0};

	set_locale();

	enum err err = run(&cli, argc, argv);

	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		err = err == OK ? cli_fail(&cli, ERR_STORAGE, "standard output cannot be written") : err;

	int status = err == OK ? cli.exit_status : err_exit_code(err);

	cli_deinit(&cli);
	return status;
}
