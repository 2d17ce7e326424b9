/*
 * Digests commands argument by argument, so that their length needs no memory and nothing can fail.  Both ends
 * do it here: the daemon compares the command that was tested with the one that an integration names.
 */
#include "command.h"

#include <sodium.h>
#include <string.h>

#include "canon.h"

static void add_argument(crypto_generichash_state *state, const char *argument)
{
	char bytes[sizeof(uint32_t)];
	size_t len = strlen(argument);
	struct buf length = {0};

	/* The kernel takes no argument that would not fit. */
	buf_init_fixed(&length, bytes, sizeof(bytes));
	canon_u32(&length, (uint32_t)len);
	(void)crypto_generichash_update(state, (const unsigned char *)bytes, length.len);
	(void)crypto_generichash_update(state, (const unsigned char *)argument, len);
}

void command_digest(const char *const *arguments, size_t count, unsigned char out[COMMAND_DIGEST_BYTES])
{
	static const char label[] = "coffer/command/1";
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, COMMAND_DIGEST_BYTES);
	(void)crypto_generichash_update(&state, (const unsigned char *)label, sizeof(label));
	for (size_t i = 0; i < count; i++)
		add_argument(&state, arguments[i]);
	(void)crypto_generichash_final(&state, out, COMMAND_DIGEST_BYTES);
}
