/* Verifiers of tokens: another vault, epoch, integration, number or secret gives another one (P6). */
#include <string.h>

#include "base64.h"
#include "unit.h"
#include "vectors/vectors.h"
#include "verifier.h"

enum { EPOCH = 7 };

static void from_hex(const char *hex, unsigned char *out, size_t len)
{
	ck_assert_int_eq(hex_decode(hex, strlen(hex), out, len), OK);
}

/* The ring of the vectors with its key for tokens alone. */
static struct keys *open_ring(void)
{
	unsigned char vault_id[VAULT_ID_BYTES];
	unsigned char row[WRAPPED_KEY_BYTES];
	struct root_key *root = NULL;
	struct keys *keys = NULL;

	ck_assert_int_eq(crypto_start(), OK);
	from_hex(VECTOR_VAULT_ID, vault_id, sizeof(vault_id));
	from_hex(VECTOR_RING_TOK, row, sizeof(row));
	ck_assert_int_eq(root_key_parse(VECTOR_ROOT_TEXT, strlen(VECTOR_ROOT_TEXT), &root), OK);
	ck_assert_int_eq(keys_new(vault_id, &keys), OK);
	ck_assert_int_eq(keys_unwrap(keys, "TOK", EPOCH, root, row, sizeof(row)), OK);
	root_key_free(root);
	return keys;
}

struct given {
	struct verifier_context context;
	unsigned char secret[VERIFIER_SECRET_BYTES];
};

static struct given vector(void)
{
	struct given given = {.context.token_id = 42};

	from_hex(VECTOR_INTEGRATION_ID, given.context.integration_id, sizeof(given.context.integration_id));
	from_hex(VECTOR_TOKEN_SECRET, given.secret, sizeof(given.secret));
	return given;
}

START_TEST(verifier_changes_with_every_bit_of_its_context_and_secret)
{
	struct keys *keys = open_ring();
	struct given given = vector();
	unsigned char first[VERIFIER_BYTES];
	unsigned char other[VERIFIER_BYTES];

	verifier_make(keys, &given.context, given.secret, first);
	for (size_t i = 0; i < sizeof(given.secret) * 8; i++) {
		given.secret[i / 8] ^= (unsigned char)(1 << i % 8);
		verifier_make(keys, &given.context, given.secret, other);
		ck_assert(!bytes_equal(first, other, sizeof(first)));
		given.secret[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	for (size_t i = 0; i < sizeof(given.context.integration_id); i++) {
		given.context.integration_id[i] ^= 1;
		verifier_make(keys, &given.context, given.secret, other);
		ck_assert(!bytes_equal(first, other, sizeof(first)));
		given.context.integration_id[i] ^= 1;
	}
	for (unsigned i = 0; i < 64; i++) {
		given.context.token_id ^= (uint64_t)1 << i;
		verifier_make(keys, &given.context, given.secret, other);
		ck_assert(!bytes_equal(first, other, sizeof(first)));
		given.context.token_id ^= (uint64_t)1 << i;
	}
	keys_free(keys);
}
END_TEST

START_TEST(verifier_is_of_its_ring_alone)
{
	struct keys *keys = open_ring();
	struct keys *fresh = NULL;
	struct given given = vector();
	unsigned char vault_id[VAULT_ID_BYTES];
	unsigned char first[VERIFIER_BYTES];
	unsigned char other[VERIFIER_BYTES];

	from_hex(VECTOR_VAULT_ID, vault_id, sizeof(vault_id));
	ck_assert_int_eq(keys_generate(vault_id, &fresh), OK);
	verifier_make(keys, &given.context, given.secret, first);
	verifier_make(fresh, &given.context, given.secret, other);
	ck_assert(!bytes_equal(first, other, sizeof(first)));
	ck_assert_uint_eq(verifier_epoch(keys), EPOCH);
	ck_assert_uint_eq(verifier_epoch(fresh), 1);
	keys_free(fresh);
	keys_free(keys);
}
END_TEST

START_TEST(verifier_agrees_with_another_implementation)
{
	struct keys *keys = open_ring();
	struct given given = vector();
	unsigned char wanted[VERIFIER_BYTES];
	unsigned char got[VERIFIER_BYTES];

	from_hex(VECTOR_VERIFIER, wanted, sizeof(wanted));
	verifier_make(keys, &given.context, given.secret, got);
	ck_assert_mem_eq(got, wanted, sizeof(got));
	keys_free(keys);
}
END_TEST

UNIT_MAIN("verifier", verifier_changes_with_every_bit_of_its_context_and_secret,
	verifier_is_of_its_ring_alone, verifier_agrees_with_another_implementation)
