/*
 * Values that nobody has to think of, or ever to see.
 */
#ifndef COFFER_CLI_GENERATE_H
#define COFFER_CLI_GENERATE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "locked.h"

enum { GENERATE_LEN_DEFAULT = 32, GENERATE_LEN_MIN = 16, GENERATE_LEN_MAX = 1024 };

/* The length that a text asks for, "" for the default; false when it is none from GENERATE_LEN_MIN to GENERATE_LEN_MAX. */
bool generate_len(const char *text, size_t *len_out);

/*
 * Characters A-Z a-z 0-9 from random bytes, each as likely as any other: a byte that would favour some is passed
 * over.  Writes at most cap; the number written.
 */
size_t generate_characters(const unsigned char *random, size_t count, unsigned char *out, size_t cap);

/* A new value of this length, from the kernel's generator, in memory of the arena.  ERR_INTERNAL: too little memory. */
enum err generate_value(struct arena *arena, size_t len, struct secret *out);

#endif
