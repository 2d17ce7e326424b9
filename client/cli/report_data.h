/*
 * Collects the report's document from the daemon, by the protocol's methods alone.
 */
#ifndef COFFER_CLI_REPORT_DATA_H
#define COFFER_CLI_REPORT_DATA_H

#include <stdint.h>

#include "buf.h"
#include "err.h"

struct cli;

/*
 * Appends the document of this vault for the days up to now.  What the caller may not see is left out; what was gone when
 * it was looked at, too.  Errors are reported.
 */
enum err report_collect(struct cli *cli, int64_t days, struct buf *out);

#endif
