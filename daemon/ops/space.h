/*
 * Room on the filesystem of a directory.
 */
#ifndef COFFER_OPS_SPACE_H
#define COFFER_OPS_SPACE_H

#include <stdint.h>

#include "err.h"

/* How much of it this process could still fill, rounded down.  ERR_STORAGE: it cannot be asked. */
enum err space_free_percent(const char *dir, unsigned *percent_out);

/* The same in bytes. */
enum err space_free_bytes(const char *dir, uint64_t *bytes_out);

#endif
