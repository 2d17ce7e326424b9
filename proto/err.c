/*
 * The rows of errors.def as tables: one lookup for both ends of the socket, for logs and for exit codes.
 * Texts are constants, so no error can carry a value (P1).  What to do about an error is the caller's.
 */
#include <string.h>

#include "err.h"

struct err_row {
	const char *word;
	const char *text;
	int number;
	int exit_code;
	enum err_class class;
};

#define ERR(name, number, word, class, exit, text) {word, text, number, exit, ERR_CLASS_##class},
static const struct err_row rows[ERR_COUNT] = {
	{"ok", "success", 0, 0, ERR_CLASS_CLIENT},
#include "errors.def"
};
#undef ERR

static const struct err_row *row_of(enum err err)
{
	return &rows[(unsigned)err < ERR_COUNT ? err : ERR_INTERNAL];
}

const char *err_word(enum err err)
{
	return row_of(err)->word;
}

const char *err_text(enum err err)
{
	return row_of(err)->text;
}

int err_number(enum err err)
{
	return row_of(err)->number;
}

int err_exit_code(enum err err)
{
	return row_of(err)->exit_code;
}

enum err_class err_class(enum err err)
{
	return row_of(err)->class;
}

enum err err_from_word(const char *word, size_t len)
{
	for (int i = OK + 1; i < ERR_COUNT; i++) {
		if (strlen(rows[i].word) == len && memcmp(rows[i].word, word, len) == 0)
			return (enum err)i;
	}
	return ERR_PROTOCOL;
}

int err_rpc_code(enum err err)
{
	return err == OK ? 0 : -(32000 + err_number(err));
}
