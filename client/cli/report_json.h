/*
 * The document itself, with its figures.
 */
#ifndef COFFER_CLI_REPORT_JSON_H
#define COFFER_CLI_REPORT_JSON_H

#include <stdio.h>

#include "err.h"
#include "report_model.h"

/* One line of JSON.  ERR_INTERNAL: no memory. */
enum err report_json(FILE *out, const struct report *report);

#endif
