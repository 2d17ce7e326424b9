/*
 * Draws values from getrandom(2) into locked memory; the bytes they are made from are wiped as well (P1).
 */
#include "generate.h"

#include <string.h>
#include <sys/random.h>

static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

enum {
	CHARACTER_COUNT = sizeof(characters) - 1,
	/* Bytes from here on would make the first characters of the table likelier than the others. */
	BYTE_END = 256 / CHARACTER_COUNT * CHARACTER_COUNT,
	/* The kernel hands out this many at once or fails, whatever signals come. */
	DRAW_BYTES = 256,
};

bool generate_len(const char *text, size_t *len_out)
{
	size_t len = 0;

	if (*text == '\0') {
		*len_out = GENERATE_LEN_DEFAULT;
		return true;
	}
	for (; *text >= '0' && *text <= '9' && len <= GENERATE_LEN_MAX; text++)
		len = len * 10 + (size_t)(*text - '0');
	*len_out = len;
	return *text == '\0' && len >= GENERATE_LEN_MIN && len <= GENERATE_LEN_MAX;
}

size_t generate_characters(const unsigned char *random, size_t count, unsigned char *out, size_t cap)
{
	size_t made = 0;

	for (size_t i = 0; i < count && made < cap; i++) {
		if (random[i] < BYTE_END)
			out[made++] = (unsigned char)characters[random[i] % CHARACTER_COUNT];
	}
	return made;
}

enum err generate_value(struct arena *arena, size_t len, struct secret *out)
{
	unsigned char *value = arena_alloc(arena, len);
	unsigned char *random = arena_alloc(arena, DRAW_BYTES);
	enum err err = value != NULL && random != NULL ? OK : ERR_INTERNAL;

	for (size_t made = 0; err == OK && made < len;) {
		if (getrandom(random, DRAW_BYTES, 0) != DRAW_BYTES)
			err = ERR_INTERNAL;
		else
			made += generate_characters(random, DRAW_BYTES, value + made, len - made);
	}
	if (random != NULL)
		wipe(random, DRAW_BYTES);
	if (err == OK)
		*out = (struct secret){.bytes = value, .len = len};
	return err;
}
