/*
 * The help texts, made from the tables of commands and options.
 */
#ifndef COFFER_CLI_HELP_H
#define COFFER_CLI_HELP_H

#include <stdio.h>

struct command;

/* All commands, or those of one noun. */
void help_overview(FILE *stream, const char *noun);

/* One command: how it is typed, its options, an example. */
void help_command(FILE *stream, const struct command *command);

#endif
