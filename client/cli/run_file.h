/*
 * Values in sealed files without a name: what --file gives the program instead of the value itself.
 */
#ifndef COFFER_CLI_RUN_FILE_H
#define COFFER_CLI_RUN_FILE_H

#include <stddef.h>

#include "coffer.h"
#include "run_options.h"

enum { RUN_FILE_ASSIGNMENT_BYTES = 96 }; /* "NAME=/dev/fd/N" */

struct run_file {
	int fd;
	char assignment[RUN_FILE_ASSIGNMENT_BYTES];
};

struct run_files {
	struct run_file *list; /* of ENV_KEYS_MAX, so that assignments stay where they are */
	size_t count;
};

/*
 * Makes the file of this variable and gives "name=/dev/fd/N", which lives as long as files.  NULL: it has said what is
 * wrong.
 */
char *run_files_add(struct run_files *files, const struct coffer_variable *variable, const char *name);

/* Closes them.  Fine on {0}. */
void run_files_clear(struct run_files *files);

#endif
