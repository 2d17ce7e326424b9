/*
 * The one error type of coffer and its lookups.  Every room that calls a library turns the answer into
 * an enum err on the spot; no other error number travels.
 */
#ifndef COFFER_PROTO_ERR_H
#define COFFER_PROTO_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define ERR(name, number, word, class, exit, text) ERR_##name,
enum [[nodiscard]] err{OK = 0,
#include "errors.def"
	ERR_COUNT};
#undef ERR

enum err_class { ERR_CLASS_CLIENT, ERR_CLASS_RETRY, ERR_CLASS_SERVER, ERR_CLASS_LOCAL };

/* All of these accept any row of errors.def, and OK: "ok", number 0, exit code 0. */
const char *err_word(enum err err);
const char *err_text(enum err err);
int err_number(enum err err);
int err_exit_code(enum err err);
enum err_class err_class(enum err err);

/* The first row with this wire word, or ERR_PROTOCOL for a word that this version does not know. */
enum err err_from_word(const char *word, size_t len);

/* The JSON-RPC code of a wire error. */
int err_rpc_code(enum err err);

#endif
