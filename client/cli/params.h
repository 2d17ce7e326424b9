/*
 * The members of a request, made from the arguments of its command.
 */
#ifndef COFFER_CLI_PARAMS_H
#define COFFER_CLI_PARAMS_H

#include <stdint.h>

#include "err.h"
#include "json.h"
#include "request.h"

struct cli;

/* Writes what was given for the fields of a request as members of an open object.  ERR_USAGE, reported. */
enum err params_write(const struct cli *cli, enum request_kind kind, struct json_writer *w);

/* The number that was given for a field; *out stays as it is when none was.  ERR_USAGE, reported. */
enum err params_count(const struct cli *cli, enum field field, int64_t *out);

#endif
