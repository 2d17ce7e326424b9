/*
 * Files that commands write: what is there is whole.
 */
#ifndef COFFER_CLI_OUTPUT_FILE_H
#define COFFER_CLI_OUTPUT_FILE_H

#include <stdio.h>

#include "err.h"

struct cli;

/* Makes the file, for its owner alone; path NULL or "-" is standard output.  Errors are reported. */
enum err output_file_open(const struct cli *cli, const char *path, FILE **out);

/*
 * Ends it: what is not whole, by err or because it could not be written, is removed.  Standard output is flushed.  Returns
 * err, or what went wrong here, reported.
 */
enum err output_file_close(const struct cli *cli, const char *path, FILE *stream, enum err err);

/*
 * Writes a file in place of what was there: readers find the old one or the whole new one.  For its owner and group alone.
 * No directory of its path may be a symbolic link.
 * ERR_STORAGE, reported.
 */
enum err output_file_replace(const struct cli *cli, const char *path, const char *bytes, size_t len);

#endif
