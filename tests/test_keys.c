/* The key hierarchy: root key, recovery, keyring (P1, P6), against vectors of an implementation of its own. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base64.h"
#include "keyring.h"
#include "unit.h"
#include "vectors/vectors.h"

enum { RING_EPOCH = 7, PURPOSES = KEY_PURPOSE_COUNT };

static const char *const ring_hex[PURPOSES] = {
	VECTOR_RING_KEK, VECTOR_RING_MAC, VECTOR_RING_TOK, VECTOR_RING_SIG};

static void from_hex(const char *hex, unsigned char *out, size_t len)
{
	ck_assert_int_eq(hex_decode(hex, strlen(hex), out, len), OK);
}

static struct root_key *parse(const char *text)
{
	struct root_key *key = NULL;

	ck_assert_int_eq(crypto_start(), OK);
	ck_assert_int_eq(root_key_parse(text, strlen(text), &key), OK);
	return key;
}

static struct root_key *generate(void)
{
	struct root_key *key = NULL;

	ck_assert_int_eq(crypto_start(), OK);
	ck_assert_int_eq(root_key_generate(&key), OK);
	return key;
}

static bool same_key(const struct root_key *a, const struct root_key *b)
{
	unsigned char a_id[RKID_BYTES];
	unsigned char b_id[RKID_BYTES];

	root_key_id(a, a_id);
	root_key_id(b, b_id);
	return memcmp(a_id, b_id, sizeof(a_id)) == 0;
}

START_TEST(root_key_refuses_any_other_text)
{
	char text[] = VECTOR_ROOT_TEXT;
	size_t len = sizeof(text) - 1;
	struct root_key *key = NULL;

	ck_assert_int_eq(crypto_start(), OK);
	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			ck_assert_msg(
				root_key_parse(text, len, &key) == ERR_BAD_VALUE, "byte %zu bit %d", i, bit);
			text[i] ^= (char)(1 << bit);
		}
	}
	ck_assert_ptr_null(key);
}
END_TEST

START_TEST(root_key_refuses_every_other_length)
{
	static const char text[] = VECTOR_ROOT_TEXT "\n";
	struct root_key *key = NULL;

	ck_assert_int_eq(crypto_start(), OK);
	for (size_t len = 0; len < sizeof(text); len++)
		if (len != sizeof(text) - 2)
			ck_assert_int_eq(root_key_parse(text, len, &key), ERR_BAD_VALUE);
	ck_assert_ptr_null(key);
}
END_TEST

START_TEST(root_key_has_the_id_of_the_format)
{
	struct root_key *key = parse(VECTOR_ROOT_TEXT);
	unsigned char expected[RKID_BYTES];
	unsigned char id[RKID_BYTES];

	from_hex(VECTOR_ROOT_ID, expected, sizeof(expected));
	root_key_id(key, id);
	ck_assert_mem_eq(id, expected, sizeof(expected));
	root_key_free(key);
}
END_TEST

START_TEST(root_key_comes_back_from_its_text)
{
	struct root_key *key = parse(VECTOR_ROOT_TEXT);
	struct root_key *fresh = generate();
	struct root_key *other = generate();
	char text[ROOT_KEY_TEXT_BYTES];

	root_key_format(key, text);
	ck_assert_str_eq(text, VECTOR_ROOT_TEXT);
	root_key_format(fresh, text);

	struct root_key *back = parse(text);

	ck_assert(same_key(fresh, back));
	ck_assert(!same_key(fresh, other));
	root_key_free(key);
	root_key_free(fresh);
	root_key_free(other);
	root_key_free(back);
	root_key_free(NULL);
}
END_TEST

static enum err open_box(const char *secret_text, const unsigned char *box, size_t len)
{
	struct root_key *key = NULL;
	enum err err = recovery_open(secret_text, strlen(secret_text), box, len, &key);

	ck_assert((err == OK) == (key != NULL));
	root_key_free(key);
	return err;
}

START_TEST(recovery_refuses_any_other_secret_text)
{
	char text[] = VECTOR_RECOVERY_TEXT;
	unsigned char box[RECOVERY_BOX_BYTES];

	ck_assert_int_eq(crypto_start(), OK);
	from_hex(VECTOR_RECOVERY_BOX, box, sizeof(box));
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			ck_assert_int_eq(open_box(text, box, sizeof(box)), ERR_BAD_VALUE);
			text[i] ^= (char)(1 << bit);
		}
	}
	ck_assert_int_eq(open_box("", box, sizeof(box)), ERR_BAD_VALUE);
	ck_assert_int_eq(open_box(VECTOR_RECOVERY_TEXT "\n", box, sizeof(box)), ERR_BAD_VALUE);
}
END_TEST

START_TEST(recovery_refuses_a_damaged_box)
{
	unsigned char box[RECOVERY_BOX_BYTES + 1] = {0};

	ck_assert_int_eq(crypto_start(), OK);
	from_hex(VECTOR_RECOVERY_BOX, box, RECOVERY_BOX_BYTES);
	for (size_t bit = 0; bit < RECOVERY_BOX_BYTES * 8; bit++) {
		box[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(open_box(VECTOR_RECOVERY_TEXT, box, RECOVERY_BOX_BYTES), ERR_DENIED);
		box[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (size_t len = 0; len <= sizeof(box); len++)
		if (len != RECOVERY_BOX_BYTES)
			ck_assert_int_eq(open_box(VECTOR_RECOVERY_TEXT, box, len), ERR_DENIED);
}
END_TEST

static enum err parse_recipient(const char *text)
{
	struct recovery_recipient recipient = {0};

	return recovery_recipient_parse(text, strlen(text), &recipient);
}

/* Whoever mistypes it would otherwise find out on the day of the recovery. */
START_TEST(recipient_refuses_any_other_text)
{
	char text[] = VECTOR_RECIPIENT;

	ck_assert_int_eq(crypto_start(), OK);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			ck_assert_int_eq(parse_recipient(text), ERR_BAD_VALUE);
			text[i] ^= (char)(1 << bit);
		}
	}
	ck_assert_int_eq(parse_recipient(""), ERR_BAD_VALUE);
	ck_assert_int_eq(parse_recipient(VECTOR_RECIPIENT "\n"), ERR_BAD_VALUE);
	ck_assert_int_eq(parse_recipient(VECTOR_RECOVERY_TEXT), ERR_BAD_VALUE);
	text[sizeof(text) - 2] = '\0';
	ck_assert_int_eq(parse_recipient(text), ERR_BAD_VALUE);
}
END_TEST

/* What is sealed to a point of low order is open to everybody; its text is right but for that. */
START_TEST(recipient_refuses_a_key_that_keeps_nothing_secret)
{
	ck_assert_int_eq(crypto_start(), OK);
	ck_assert_int_eq(parse_recipient(VECTOR_RECIPIENT_ZERO), ERR_BAD_VALUE);
	ck_assert_int_eq(parse_recipient(VECTOR_RECIPIENT_ONE), ERR_BAD_VALUE);
}
END_TEST

START_TEST(recipient_comes_back_from_the_text_of_the_format)
{
	struct recovery_recipient recipient = {0};
	char text[RECOVERY_TEXT_BYTES] = "";

	ck_assert_int_eq(crypto_start(), OK);
	ck_assert_int_eq(
		recovery_recipient_parse(VECTOR_RECIPIENT, strlen(VECTOR_RECIPIENT), &recipient), OK);
	ck_assert_str_eq(recipient.fingerprint, strrchr(VECTOR_RECIPIENT, '-') + 1);
	recovery_recipient_format(&recipient, text);
	ck_assert_str_eq(text, VECTOR_RECIPIENT);
}
END_TEST

START_TEST(recovery_refuses_the_key_of_another_box)
{
	struct root_key *key = generate();
	struct recovery_recipient recipients[2] = {0};
	unsigned char boxes[2][RECOVERY_BOX_BYTES];
	char texts[2][RECOVERY_TEXT_BYTES];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(recovery_generate(&recipients[i], texts[i]), OK);
		ck_assert_int_eq(recovery_seal(key, &recipients[i], boxes[i]), OK);
	}
	ck_assert_int_eq(open_box(texts[0], boxes[1], sizeof(boxes[1])), ERR_DENIED);
	ck_assert_int_eq(open_box(texts[1], boxes[0], sizeof(boxes[0])), ERR_DENIED);
	ck_assert_str_ne(recipients[0].fingerprint, recipients[1].fingerprint);
	root_key_free(key);
}
END_TEST

START_TEST(recovery_opens_the_box_of_the_format)
{
	struct root_key *expected = parse(VECTOR_ROOT_TEXT);
	struct root_key *key = NULL;
	unsigned char box[RECOVERY_BOX_BYTES];

	from_hex(VECTOR_RECOVERY_BOX, box, sizeof(box));
	ck_assert_int_eq(
		recovery_open(VECTOR_RECOVERY_TEXT, strlen(VECTOR_RECOVERY_TEXT), box, sizeof(box), &key),
		OK);
	ck_assert(same_key(key, expected));
	root_key_free(key);
	root_key_free(expected);
}
END_TEST

START_TEST(recovery_gives_the_root_key_back)
{
	struct root_key *key = generate();
	struct root_key *back = NULL;
	struct recovery_recipient recipient = {0}, parsed = {0};
	unsigned char box[RECOVERY_BOX_BYTES];
	char secret[RECOVERY_TEXT_BYTES], text[RECOVERY_TEXT_BYTES];

	ck_assert_int_eq(recovery_generate(&recipient, secret), OK);
	ck_assert_uint_eq(strspn(recipient.fingerprint, "0123456789abcdef"), RECOVERY_FINGERPRINT_BYTES - 1);
	recovery_recipient_format(&recipient, text);
	ck_assert_int_eq(recovery_recipient_parse(text, strlen(text), &parsed), OK);
	ck_assert_int_eq(recovery_seal(key, &parsed, box), OK);
	ck_assert_int_eq(recovery_open(secret, strlen(secret), box, sizeof(box), &back), OK);
	ck_assert(same_key(key, back));
	root_key_free(key);
	root_key_free(back);
}
END_TEST

struct ring {
	struct root_key *root;
	struct keys *keys; /* empty */
	unsigned char vault_id[VAULT_ID_BYTES];
	unsigned char rows[PURPOSES][WRAPPED_KEY_BYTES];
};

static struct ring ring(void)
{
	struct ring ring = {.root = parse(VECTOR_ROOT_TEXT)};

	from_hex(VECTOR_VAULT_ID, ring.vault_id, sizeof(ring.vault_id));
	for (int i = 0; i < PURPOSES; i++)
		from_hex(ring_hex[i], ring.rows[i], sizeof(ring.rows[i]));
	ck_assert_int_eq(keys_new(ring.vault_id, &ring.keys), OK);
	return ring;
}

static void ring_free(struct ring *ring)
{
	root_key_free(ring->root);
	keys_free(ring->keys);
}

#define RING_AUTO __attribute__((cleanup(ring_free))) struct ring

static enum err unwrap(struct ring *ring, enum key_purpose as, enum key_purpose row)
{
	return keys_unwrap(
		ring->keys, key_purpose_word(as), RING_EPOCH, ring->root, ring->rows[row], WRAPPED_KEY_BYTES);
}

static void unwrap_all(struct ring *ring)
{
	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++)
		ck_assert_int_eq(unwrap(ring, purpose, purpose), OK);
}

/* P6 */
START_TEST(keyring_refuses_the_row_of_another_purpose)
{
	RING_AUTO r = ring();

	for (enum key_purpose as = 0; as < KEY_PURPOSE_COUNT; as++)
		for (enum key_purpose row = 0; row < KEY_PURPOSE_COUNT; row++)
			if (as != row)
				ck_assert_int_eq(unwrap(&r, as, row), ERR_DENIED);
	unwrap_all(&r);
}
END_TEST

START_TEST(keyring_refuses_an_unknown_purpose)
{
	static const char *const words[] = {"", "kek", "KE", "KEKK", "WRAP"};
	RING_AUTO r = ring();

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_int_eq(
			keys_unwrap(r.keys, words[i], RING_EPOCH, r.root, r.rows[0], WRAPPED_KEY_BYTES),
			ERR_DENIED);
}
END_TEST

/* P6 */
START_TEST(keyring_refuses_another_epoch)
{
	RING_AUTO r = ring();

	ck_assert_int_eq(keys_unwrap(r.keys, "KEK", 0, r.root, r.rows[0], WRAPPED_KEY_BYTES), ERR_DENIED);
	for (int bit = 0; bit < 64; bit++)
		ck_assert_int_eq(keys_unwrap(r.keys, "KEK", RING_EPOCH ^ UINT64_C(1) << bit, r.root,
					 r.rows[0], WRAPPED_KEY_BYTES),
			ERR_DENIED);
	ck_assert(!keys_are_complete(r.keys));
}
END_TEST

/* P6 */
START_TEST(keyring_refuses_another_vault)
{
	RING_AUTO r = ring();

	for (size_t bit = 0; bit < VAULT_ID_BYTES * 8; bit++) {
		unsigned char other[VAULT_ID_BYTES];
		struct keys *keys = NULL;

		memcpy(other, r.vault_id, sizeof(other));
		other[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(keys_new(other, &keys), OK);
		ck_assert_int_eq(keys_unwrap(keys, "KEK", RING_EPOCH, r.root, r.rows[0], WRAPPED_KEY_BYTES),
			ERR_DENIED);
		keys_free(keys);
	}
}
END_TEST

START_TEST(keyring_refuses_another_root_key)
{
	RING_AUTO r = ring();
	struct root_key *other = generate();

	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++)
		ck_assert_int_eq(keys_unwrap(r.keys, key_purpose_word(purpose), RING_EPOCH, other,
					 r.rows[purpose], WRAPPED_KEY_BYTES),
			ERR_DENIED);
	root_key_free(other);
}
END_TEST

/* P7 */
START_TEST(keyring_refuses_a_damaged_row)
{
	RING_AUTO r = ring();
	unsigned char row[WRAPPED_KEY_BYTES + 1] = {0};

	memcpy(row, r.rows[0], WRAPPED_KEY_BYTES);
	for (size_t bit = 0; bit < WRAPPED_KEY_BYTES * 8; bit++) {
		row[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(
			keys_unwrap(r.keys, "KEK", RING_EPOCH, r.root, row, WRAPPED_KEY_BYTES), ERR_DENIED);
		row[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (size_t len = 0; len <= sizeof(row); len++)
		if (len != WRAPPED_KEY_BYTES)
			ck_assert_int_eq(
				keys_unwrap(r.keys, "KEK", RING_EPOCH, r.root, row, len), ERR_DENIED);
}
END_TEST

START_TEST(keyring_refuses_a_second_row_of_one_purpose)
{
	RING_AUTO r = ring();

	ck_assert_int_eq(unwrap(&r, KEY_PURPOSE_MAC, KEY_PURPOSE_MAC), OK);
	ck_assert_int_eq(unwrap(&r, KEY_PURPOSE_MAC, KEY_PURPOSE_MAC), ERR_DENIED);
}
END_TEST

START_TEST(keyring_wraps_no_key_that_it_has_not)
{
	RING_AUTO r = ring();
	unsigned char row[WRAPPED_KEY_BYTES];

	ck_assert_int_eq(keys_wrap(r.keys, KEY_PURPOSE_KEK, r.root, row), ERR_INTERNAL);
	ck_assert_int_eq(keys_new_dek(r.keys, &(struct dek_context){0}, row), ERR_INTERNAL);
}
END_TEST

static int signal_of_reader(const struct keys *keys)
{
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct rlimit none = {0};

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGSEGV, SIG_DFL);

		volatile unsigned char byte =
			*(const volatile unsigned char *)keyring_key(keys, KEY_PURPOSE_KEK);

		(void)byte;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* P1 */
START_TEST(keyring_cannot_be_read_while_idle)
{
	RING_AUTO r = ring();

	unwrap_all(&r);
	ck_assert_int_eq(signal_of_reader(r.keys), SIGSEGV);
	keys_hold(r.keys);
	keys_hold(r.keys);
	keys_release(r.keys);
	ck_assert_int_eq(signal_of_reader(r.keys), 0);
	keys_release(r.keys);
	ck_assert_int_eq(signal_of_reader(r.keys), SIGSEGV);
}
END_TEST

START_TEST(keyring_opens_the_rows_of_the_format)
{
	RING_AUTO r = ring();

	ck_assert(!keys_are_complete(r.keys));
	unwrap_all(&r);
	ck_assert(keys_are_complete(r.keys));
}
END_TEST

START_TEST(mac_is_the_one_of_the_format)
{
	RING_AUTO r = ring();
	unsigned char expected[MAC_BYTES];
	unsigned char mac[MAC_BYTES];

	unwrap_all(&r);
	from_hex(VECTOR_MAC_OF_ABC, expected, sizeof(expected));
	keys_mac(r.keys, "coffer/test/1", "abc", 3, mac);
	ck_assert_mem_eq(mac, expected, sizeof(expected));
}
END_TEST

START_TEST(mac_keeps_label_and_bytes_apart)
{
	RING_AUTO r = ring();
	unsigned char one[MAC_BYTES];
	unsigned char other[MAC_BYTES];

	unwrap_all(&r);
	keys_mac(r.keys, "ab", "c", 1, one);
	keys_mac(r.keys, "a", "bc", 2, other);
	ck_assert_mem_ne(one, other, sizeof(one));
	keys_mac(r.keys, "a", NULL, 0, one);
	keys_mac(r.keys, "a", "", 1, other);
	ck_assert_mem_ne(one, other, sizeof(one));
}
END_TEST

START_TEST(keyring_comes_back_from_its_rows)
{
	struct root_key *root = generate();
	struct keys *fresh = NULL;
	struct keys *back = NULL;
	unsigned char vault_id[VAULT_ID_BYTES];
	unsigned char row[WRAPPED_KEY_BYTES];
	unsigned char again[WRAPPED_KEY_BYTES];
	unsigned char macs[2][MAC_BYTES];

	random_bytes(vault_id, sizeof(vault_id));
	ck_assert_int_eq(keys_generate(vault_id, &fresh), OK);
	ck_assert(keys_are_complete(fresh));
	ck_assert_int_eq(keys_new(vault_id, &back), OK);
	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
		ck_assert_int_eq(keys_wrap(fresh, purpose, root, row), OK);
		ck_assert_int_eq(keys_wrap(fresh, purpose, root, again), OK);
		ck_assert_mem_ne(row, again, sizeof(row));
		ck_assert_int_eq(keys_unwrap(back, key_purpose_word(purpose), 1, root, row, sizeof(row)), OK);
	}
	keys_mac(fresh, "l", "x", 1, macs[0]);
	keys_mac(back, "l", "x", 1, macs[1]);
	ck_assert(bytes_equal(macs[0], macs[1], MAC_BYTES));
	keys_free(fresh);
	keys_free(back);
	keys_free(NULL);
	root_key_free(root);
}
END_TEST

START_TEST(bytes_equal_looks_at_every_byte)
{
	unsigned char a[40] = {0};
	unsigned char b[40] = {0};

	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		ck_assert(!bytes_equal(a, b, sizeof(a)));
		b[i] = 0;
	}
	ck_assert(bytes_equal(a, b, sizeof(a)));
}
END_TEST

UNIT_MAIN("keys", root_key_refuses_any_other_text, root_key_refuses_every_other_length,
	recipient_refuses_any_other_text, recipient_refuses_a_key_that_keeps_nothing_secret,
	recipient_comes_back_from_the_text_of_the_format, recovery_refuses_any_other_secret_text,
	recovery_refuses_a_damaged_box, recovery_refuses_the_key_of_another_box,
	keyring_refuses_the_row_of_another_purpose, keyring_refuses_an_unknown_purpose,
	keyring_refuses_another_epoch, keyring_refuses_another_vault, keyring_refuses_another_root_key,
	keyring_refuses_a_damaged_row, keyring_refuses_a_second_row_of_one_purpose,
	keyring_wraps_no_key_that_it_has_not, keyring_cannot_be_read_while_idle,
	root_key_has_the_id_of_the_format, root_key_comes_back_from_its_text,
	recovery_opens_the_box_of_the_format, recovery_gives_the_root_key_back,
	keyring_opens_the_rows_of_the_format, mac_is_the_one_of_the_format, mac_keeps_label_and_bytes_apart,
	keyring_comes_back_from_its_rows, bytes_equal_looks_at_every_byte)
