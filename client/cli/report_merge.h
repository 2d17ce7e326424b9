/*
 * One inventory of several hosts, from their reports in JSON.
 */
#ifndef COFFER_CLI_REPORT_MERGE_H
#define COFFER_CLI_REPORT_MERGE_H

#include "buf.h"
#include "err.h"

struct cli;

enum { REPORT_FILES_MAX = 64, REPORT_FILE_BYTES_MAX = 64 << 20, REPORT_MERGED_BYTES_MAX = 256 << 20 };

/*
 * Appends a document with the vaults of all files that are named in the arguments.  Refused, reported by name: what is no
 * report of this version, two reports of one vault, more than the limits above.
 */
enum err report_merge(struct cli *cli, struct buf *out);

#endif
