/*
 * The inventory as a sheet: a row a secret, an integration without any has one row.
 */
#ifndef COFFER_CLI_REPORT_CSV_H
#define COFFER_CLI_REPORT_CSV_H

#include <stdio.h>

#include "err.h"
#include "report_model.h"

/* RFC 4180, UTF-8.  ERR_INTERNAL: no memory. */
enum err report_csv(FILE *out, const struct report *report);

#endif
