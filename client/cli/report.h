/*
 * coffer report: the quarterly inventory, as a page, a sheet or JSON; of this vault, or merged from those of several.
 */
#ifndef COFFER_CLI_REPORT_H
#define COFFER_CLI_REPORT_H

#include "err.h"

struct cli;

enum err report_run(struct cli *cli);

#endif
