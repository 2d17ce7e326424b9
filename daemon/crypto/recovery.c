/*
 * Recovery: the root key sealed to an X25519 key whose secret half is printed once and kept offline.  The
 * box alone opens nothing, and lies beside the store without harm.
 */
#include <sodium.h>
#include <string.h>

#include "locked.h"
#include "root_key.h"

/* "coffer-recovery-1-", hex of the secret key, "-", hex of the checksum */
#define HEAD "coffer-recovery-1-"
#define CHECKSUM_LABEL "coffer/recovery/1"
#define FINGERPRINT_LABEL "coffer/recovery-fingerprint/1"

enum {
	HEAD_LEN = sizeof(HEAD) - 1,
	SECRET_LEN = 2 * KEY_BYTES,
	CHECKSUM_LEN = 2 * CHECKSUM_BYTES,
	TEXT_LEN = HEAD_LEN + SECRET_LEN + 1 + CHECKSUM_LEN,
};

_Static_assert((int)TEXT_LEN < (int)RECOVERY_TEXT_BYTES, "the text and its NUL fit");
_Static_assert(CHECKSUM_LEN + 1 == RECOVERY_FINGERPRINT_BYTES, "a fingerprint is a checksum in hex");
_Static_assert(RECOVERY_BOX_BYTES == KEY_BYTES + crypto_box_SEALBYTES, "box");
_Static_assert(KEY_BYTES == crypto_box_SECRETKEYBYTES, "secret key");

static void format_secret(const struct raw_key *secret, char out[RECOVERY_TEXT_BYTES])
{
	unsigned char checksum[CHECKSUM_BYTES];
	char *hex = out + HEAD_LEN;

	labelled_checksum(CHECKSUM_LABEL, secret->bytes, sizeof(secret->bytes), checksum);
	memcpy(out, HEAD, HEAD_LEN);
	(void)sodium_bin2hex(hex, SECRET_LEN + 1, secret->bytes, sizeof(secret->bytes));
	hex[SECRET_LEN] = '-';
	(void)sodium_bin2hex(hex + SECRET_LEN + 1, CHECKSUM_LEN + 1, checksum, sizeof(checksum));
}

static bool parse_secret(const char *text, size_t len, struct raw_key *out)
{
	char canonical[RECOVERY_TEXT_BYTES];
	size_t found_len = 0;

	if (len != TEXT_LEN || sodium_hex2bin(out->bytes, sizeof(out->bytes), text + HEAD_LEN, SECRET_LEN,
				       NULL, &found_len, NULL) != 0)
		return false;
	/* A key has one text: whatever else was written there, head and checksum included, makes a difference. */
	format_secret(out, canonical);

	bool is_canonical = found_len == sizeof(out->bytes) && bytes_equal(canonical, text, TEXT_LEN);

	wipe(canonical, sizeof(canonical));
	return is_canonical;
}

enum err recovery_generate(const struct root_key *key, unsigned char box_out[RECOVERY_BOX_BYTES],
	char fingerprint_out[RECOVERY_FINGERPRINT_BYTES], char secret_text_out[RECOVERY_TEXT_BYTES])
{
	unsigned char public_key[crypto_box_PUBLICKEYBYTES];
	unsigned char fingerprint[CHECKSUM_BYTES];
	unsigned char box[RECOVERY_BOX_BYTES];
	RAW_KEY_AUTO secret = {0};
	RAW_KEY_AUTO root = {0};

	root_key_copy(key, &root);
	if (crypto_box_keypair(public_key, secret.bytes) != 0 ||
		crypto_box_seal(box, root.bytes, sizeof(root.bytes), public_key) != 0)
		return ERR_INTERNAL;
	memcpy(box_out, box, sizeof(box));
	labelled_checksum(FINGERPRINT_LABEL, public_key, sizeof(public_key), fingerprint);
	(void)sodium_bin2hex(fingerprint_out, RECOVERY_FINGERPRINT_BYTES, fingerprint, sizeof(fingerprint));
	format_secret(&secret, secret_text_out);
	return OK;
}

enum err recovery_open(
	const char *secret_text, size_t len, const unsigned char *box, size_t box_len, struct root_key **out)
{
	unsigned char public_key[crypto_box_PUBLICKEYBYTES];
	RAW_KEY_AUTO secret = {0};
	RAW_KEY_AUTO root = {0};

	if (!parse_secret(secret_text, len, &secret))
		return ERR_BAD_VALUE;
	if (box_len != RECOVERY_BOX_BYTES || crypto_scalarmult_base(public_key, secret.bytes) != 0 ||
		crypto_box_seal_open(root.bytes, box, box_len, public_key, secret.bytes) != 0)
		return ERR_DENIED;
	return root_key_new(&root, out);
}
