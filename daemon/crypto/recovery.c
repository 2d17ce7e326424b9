/*
 * Recovery: the root key sealed to an X25519 key whose secret half is printed once and kept offline.  The
 * box alone opens nothing, and lies beside the store without harm.  The public half may be anywhere; its
 * text carries a checksum, because nobody would notice a box for a mistyped key until the day it is needed.
 */
#include <sodium.h>
#include <string.h>

#include "locked.h"
#include "root_key.h"

/* "coffer-recovery-1-", hex of the secret key, "-", hex of the checksum */
#define HEAD "coffer-recovery-1-"
/* "coffer-recipient-1-", hex of the public key, "-", its fingerprint */
#define RECIPIENT_HEAD "coffer-recipient-1-"
#define CHECKSUM_LABEL "coffer/recovery/1"
#define FINGERPRINT_LABEL "coffer/recovery-fingerprint/1"

enum {
	HEAD_LEN = sizeof(HEAD) - 1,
	SECRET_LEN = 2 * KEY_BYTES,
	CHECKSUM_LEN = 2 * CHECKSUM_BYTES,
	TEXT_LEN = HEAD_LEN + SECRET_LEN + 1 + CHECKSUM_LEN,
	RECIPIENT_HEAD_LEN = sizeof(RECIPIENT_HEAD) - 1,
	PUBLIC_LEN = 2 * KEY_BYTES,
	RECIPIENT_LEN = RECIPIENT_HEAD_LEN + PUBLIC_LEN + 1 + CHECKSUM_LEN,
};

_Static_assert((int)TEXT_LEN < (int)RECOVERY_TEXT_BYTES, "the text and its NUL fit");
_Static_assert((int)RECIPIENT_LEN < (int)RECOVERY_TEXT_BYTES, "and so does the recipient's");
_Static_assert(CHECKSUM_LEN + 1 == RECOVERY_FINGERPRINT_BYTES, "a fingerprint is a checksum in hex");
_Static_assert(RECOVERY_BOX_BYTES == KEY_BYTES + crypto_box_SEALBYTES, "box");
_Static_assert(KEY_BYTES == crypto_box_SECRETKEYBYTES, "secret key");
_Static_assert(KEY_BYTES == crypto_box_PUBLICKEYBYTES, "public key");

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

static void set_fingerprint(struct recovery_recipient *recipient)
{
	unsigned char fingerprint[CHECKSUM_BYTES];

	labelled_checksum(
		FINGERPRINT_LABEL, recipient->public_key, sizeof(recipient->public_key), fingerprint);
	(void)sodium_bin2hex(
		recipient->fingerprint, sizeof(recipient->fingerprint), fingerprint, sizeof(fingerprint));
}

enum err recovery_generate(
	struct recovery_recipient *recipient_out, char secret_text_out[RECOVERY_TEXT_BYTES])
{
	struct recovery_recipient recipient = {0};
	RAW_KEY_AUTO secret = {0};

	if (crypto_box_keypair(recipient.public_key, secret.bytes) != 0)
		return ERR_INTERNAL;
	set_fingerprint(&recipient);
	format_secret(&secret, secret_text_out);
	*recipient_out = recipient;
	return OK;
}

void recovery_recipient_format(const struct recovery_recipient *recipient, char out[RECOVERY_TEXT_BYTES])
{
	char *hex = out + RECIPIENT_HEAD_LEN;

	memcpy(out, RECIPIENT_HEAD, RECIPIENT_HEAD_LEN);
	(void)sodium_bin2hex(hex, PUBLIC_LEN + 1, recipient->public_key, sizeof(recipient->public_key));
	hex[PUBLIC_LEN] = '-';
	memcpy(hex + PUBLIC_LEN + 1, recipient->fingerprint, sizeof(recipient->fingerprint));
}

/* To a point of low order anybody could open the box; libsodium refuses it, and so it is refused here and not in the middle of init. */
static bool can_be_sealed_to(const struct recovery_recipient *recipient)
{
	unsigned char box[1 + crypto_box_SEALBYTES];

	return crypto_box_seal(box, (const unsigned char *)"", 1, recipient->public_key) == 0;
}

enum err recovery_recipient_parse(const char *text, size_t len, struct recovery_recipient *out)
{
	struct recovery_recipient recipient = {0};
	char canonical[RECOVERY_TEXT_BYTES];
	size_t found_len = 0;

	if (len != RECIPIENT_LEN ||
		sodium_hex2bin(recipient.public_key, sizeof(recipient.public_key), text + RECIPIENT_HEAD_LEN,
			PUBLIC_LEN, NULL, &found_len, NULL) != 0 ||
		found_len != sizeof(recipient.public_key))
		return ERR_BAD_VALUE;
	set_fingerprint(&recipient);
	recovery_recipient_format(&recipient, canonical);
	if (memcmp(canonical, text, RECIPIENT_LEN) != 0 || !can_be_sealed_to(&recipient))
		return ERR_BAD_VALUE;
	*out = recipient;
	return OK;
}

enum err recovery_seal(const struct root_key *key, const struct recovery_recipient *recipient,
	unsigned char box_out[RECOVERY_BOX_BYTES])
{
	RAW_KEY_AUTO root = {0};

	root_key_copy(key, &root);
	return crypto_box_seal(box_out, root.bytes, sizeof(root.bytes), recipient->public_key) == 0
		       ? OK
		       : ERR_INTERNAL;
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
