/*
 * The access token of a handle.  It is kept as the params of the request that shows it, in locked memory, because every
 * new connection of the handle has to show it again; nothing copies it anywhere else (P1).
 */
#include "coffer.h"

#include <string.h>

#include "token.h"
#include "vault.h"

static const char head[] = "{\"token\":\"";
static const char tail[] = "\"}";

enum { HEAD_BYTES = sizeof(head) - 1, TAIL_BYTES = sizeof(tail) - 1 };

void token_clear(struct coffer *vault)
{
	locked_unmap(&vault->token.memory);
	vault->token = (struct token){0};
}

/* In a child the memory reads as zeros. */
bool token_is_there(const struct coffer *vault)
{
	return vault->token.len > 0 && vault->token.memory.bytes[0] == (unsigned char)head[0];
}

static enum err take_token(struct coffer *vault, const char *text, size_t len)
{
	struct locked memory = {0};
	uint64_t id = 0;

	if (token_read(text, len, &id, NULL) != OK)
		return vault_fail(
			vault, ERR_BAD_VALUE, "the token is not whole: cut off, mistyped, or no token");
	if (locked_map(HEAD_BYTES + len + TAIL_BYTES, true, &memory) != OK)
		return vault_fail(vault, ERR_INTERNAL, "out of memory");
	memcpy(memory.bytes, head, HEAD_BYTES);
	memcpy(memory.bytes + HEAD_BYTES, text, len);
	memcpy(memory.bytes + HEAD_BYTES + len, tail, TAIL_BYTES);
	vault->token = (struct token){.memory = memory, .len = HEAD_BYTES + len + TAIL_BYTES};
	return OK;
}

int coffer_authenticate(coffer *vault, const char *token, size_t len)
{
	if (vault == NULL || token == NULL)
		return COFFER_USAGE;
	token_clear(vault);

	enum err err = take_token(vault, token, len);

	if (err == OK)
		err = call_connect(vault);
	if (err != OK) {
		token_clear(vault);
		channel_close(&vault->channel);
	}
	answer_clear(vault);
	return err_number(err);
}
