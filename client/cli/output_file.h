/*
 * A file that a command writes and that must not have been there: it is whole, or it is gone.
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

#endif
