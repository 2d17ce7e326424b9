/*
 * The members of a request, made from the arguments of its command.
 */
#ifndef COFFER_CLI_PARAMS_H
#define COFFER_CLI_PARAMS_H

#include "err.h"
#include "json.h"

struct cli;

/* Writes what was given for the fields of the command's request as members of an open object.  ERR_USAGE, reported. */
enum err params_write(const struct cli *cli, struct json_writer *w);

#endif
