/*
 * The root key: in guarded memory without access while idle (P1), as text for a file or a systemd
 * credential, and as the parent of keys with one use each.  Where the text comes from is the caller's part.
 */
#include "root_key.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "locked.h"

/* "coffer-root-key-1\n", base64, "\n", hex of the checksum, "\n" */
#define HEAD "coffer-root-key-1\n"
#define CHECKSUM_LABEL "coffer/root-key/1"
#define ID_CONTEXT "cofRKID1"

enum {
	HEAD_LEN = sizeof(HEAD) - 1,
	BASE64_LEN = (KEY_BYTES + 2) / 3 * 4,
	HEX_LEN = 2 * CHECKSUM_BYTES,
	TEXT_LEN = HEAD_LEN + BASE64_LEN + 1 + HEX_LEN + 1,
};

_Static_assert((int)TEXT_LEN < (int)ROOT_KEY_TEXT_BYTES, "the text and its NUL fit");
_Static_assert(KEY_BYTES == crypto_kdf_KEYBYTES, "a key can be a parent");

struct root_key {
	struct raw_key *raw; /* guarded; no access but in root_key_copy */
};

enum err root_key_new(const struct raw_key *raw, struct root_key **out)
{
	struct root_key *key = calloc(1, sizeof(*key));

	if (key == NULL)
		return ERR_INTERNAL;
	key->raw = sodium_malloc(sizeof(*key->raw));
	if (key->raw == NULL) {
		free(key);
		return ERR_INTERNAL;
	}
	*key->raw = *raw;
	guard_access(sodium_mprotect_noaccess(key->raw));
	*out = key;
	return OK;
}

void root_key_copy(const struct root_key *key, struct raw_key *out)
{
	guard_access(sodium_mprotect_readonly(key->raw));
	*out = *key->raw;
	guard_access(sodium_mprotect_noaccess(key->raw));
}

void root_key_derive(const struct root_key *key, const char context[static 8], struct raw_key *out)
{
	RAW_KEY_AUTO raw = {0};

	root_key_copy(key, &raw);
	(void)crypto_kdf_derive_from_key(out->bytes, sizeof(out->bytes), 1, context, raw.bytes);
}

enum err root_key_generate(struct root_key **out)
{
	RAW_KEY_AUTO raw = {0};

	randombytes_buf(raw.bytes, sizeof(raw.bytes));
	return root_key_new(&raw, out);
}

static void format_text(const struct raw_key *raw, char out[ROOT_KEY_TEXT_BYTES])
{
	unsigned char checksum[CHECKSUM_BYTES];
	char *base64 = out + HEAD_LEN;
	char *hex = base64 + BASE64_LEN + 1;

	labelled_checksum(CHECKSUM_LABEL, raw->bytes, sizeof(raw->bytes), checksum);
	memcpy(out, HEAD, HEAD_LEN);
	(void)sodium_bin2base64(
		base64, BASE64_LEN + 1, raw->bytes, sizeof(raw->bytes), sodium_base64_VARIANT_ORIGINAL);
	hex[-1] = '\n';
	(void)sodium_bin2hex(hex, HEX_LEN + 1, checksum, sizeof(checksum));
	hex[HEX_LEN] = '\n';
	hex[HEX_LEN + 1] = '\0';
}

enum err root_key_parse(const char *text, size_t len, struct root_key **out)
{
	char canonical[ROOT_KEY_TEXT_BYTES];
	size_t found_len = 0;
	RAW_KEY_AUTO raw = {0};

	if (len != TEXT_LEN || sodium_base642bin(raw.bytes, sizeof(raw.bytes), text + HEAD_LEN, BASE64_LEN,
				       NULL, &found_len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return ERR_BAD_VALUE;
	/* A key has one text: whatever else was written there, head and checksum included, makes a difference. */
	format_text(&raw, canonical);

	bool is_canonical = found_len == sizeof(raw.bytes) && bytes_equal(canonical, text, TEXT_LEN);

	wipe(canonical, sizeof(canonical));
	return is_canonical ? root_key_new(&raw, out) : ERR_BAD_VALUE;
}

void root_key_format(const struct root_key *key, char out[ROOT_KEY_TEXT_BYTES])
{
	RAW_KEY_AUTO raw = {0};

	root_key_copy(key, &raw);
	format_text(&raw, out);
}

void root_key_id(const struct root_key *key, unsigned char out[RKID_BYTES])
{
	RAW_KEY_AUTO derived = {0};

	root_key_derive(key, ID_CONTEXT, &derived);
	memcpy(out, derived.bytes, RKID_BYTES);
}

void root_key_free(struct root_key *key)
{
	if (key == NULL)
		return;
	sodium_free(key->raw);
	free(key);
}
