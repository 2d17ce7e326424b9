/*
 * What stands for a test command in records: a digest of its arguments, so that a verdict says which command
 * it is the verdict of without repeating what may stand in its arguments.
 */
#ifndef COFFER_PROTO_COMMAND_H
#define COFFER_PROTO_COMMAND_H

#include <stddef.h>

enum { COMMAND_DIGEST_BYTES = 32 };

/*
 * BLAKE2b-256 over the label "coffer/command/1" with its NUL and each argument with its 32-bit little-endian
 * length before it.  A command that is one text of a shell has the arguments "/bin/sh", "-c" and that text.
 */
void command_digest(const char *const *arguments, size_t count, unsigned char out[COMMAND_DIGEST_BYTES]);

#endif
