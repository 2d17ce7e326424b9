/* Sealed values: P6, they open in one place only; P7, no bit can change; P1, nothing stays behind. */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base64.h"
#include "canon.h"
#include "dek.h"
#include "keyring.h"
#include "root_key.h"
#include "unit.h"
#include "vectors/vectors.h"

enum { RING_EPOCH = 7, GENERATION = 3, SMALL = ENVELOPE_OVERHEAD + 64 };

static void from_hex(const char *hex, unsigned char *out, size_t len)
{
	ck_assert_int_eq(hex_decode(hex, strlen(hex), out, len), OK);
}

/* The vault of the vectors, or one that differs in its id or in the epoch of its keys, with the same keys. */
struct vault {
	struct keys *keys;
	struct dek_context context;
	unsigned char wrapped[WRAPPED_KEY_BYTES];
};

static void vault_close(struct vault *vault)
{
	keys_free(vault->keys);
}

#define VAULT_AUTO __attribute__((cleanup(vault_close))) struct vault

static void wrap_kek(const struct root_key *root, const unsigned char *vault_id, uint64_t epoch,
	const unsigned char *kek, unsigned char *out)
{
	BUF_AUTO aad = {0};
	unsigned char root_id[RKID_BYTES];
	struct raw_key wrap;

	root_key_id(root, root_id);
	root_key_derive(root, "cofWRAP1", &wrap);
	canon_label(&aad, "coffer/ring/1");
	canon_fixed(&aad, vault_id, VAULT_ID_BYTES);
	canon_fixed(&aad, root_id, sizeof(root_id));
	canon_text(&aad, "KEK");
	canon_u64(&aad, epoch);
	ck_assert_int_eq(sealed_seal(wrap.bytes, &aad, kek, KEY_BYTES, out), OK);
}

static struct keys *open_ring(
	const struct root_key *root, const unsigned char *vault_id, uint64_t epoch, const unsigned char *row)
{
	struct keys *keys = NULL;

	ck_assert_int_eq(keys_new(vault_id, &keys), OK);
	ck_assert_int_eq(keys_unwrap(keys, "KEK", epoch, root, row, WRAPPED_KEY_BYTES), OK);
	return keys;
}

/* flipped: a bit of the vault id, or -1 */
static struct vault vault_with(int flipped, uint64_t epoch)
{
	struct vault vault = {.context = {.generation = GENERATION}};
	struct root_key *root = NULL;
	unsigned char vault_id[VAULT_ID_BYTES];
	unsigned char row[WRAPPED_KEY_BYTES];

	ck_assert_int_eq(crypto_start(), OK);
	ck_assert_int_eq(root_key_parse(VECTOR_ROOT_TEXT, strlen(VECTOR_ROOT_TEXT), &root), OK);
	from_hex(VECTOR_VAULT_ID, vault_id, sizeof(vault_id));
	from_hex(VECTOR_RING_KEK, row, sizeof(row));
	from_hex(VECTOR_INTEGRATION_ID, vault.context.integration_id, sizeof(vault.context.integration_id));
	from_hex(VECTOR_DEK, vault.wrapped, sizeof(vault.wrapped));
	vault.keys = open_ring(root, vault_id, RING_EPOCH, row);
	if (flipped >= 0 || epoch != RING_EPOCH) {
		struct keys *original = vault.keys;

		if (flipped >= 0)
			vault_id[flipped / 8] ^= (unsigned char)(1 << flipped % 8);
		keys_hold(original);
		wrap_kek(root, vault_id, epoch, keyring_key(original, KEY_PURPOSE_KEK), row);
		keys_release(original);
		vault.keys = open_ring(root, vault_id, epoch, row);
		keys_free(original);
	}
	root_key_free(root);
	return vault;
}

static struct vault vault(void)
{
	return vault_with(-1, RING_EPOCH);
}

static enum err try_dek(const struct vault *vault, const struct dek_context *context)
{
	struct dek *dek = NULL;
	enum err err = dek_open(vault->keys, context, vault->wrapped, sizeof(vault->wrapped), &dek);

	ck_assert((err == OK) == (dek != NULL));
	dek_close(dek);
	return err;
}

static void close_dek(struct dek **dek)
{
	dek_close(*dek);
}

#define DEK_AUTO __attribute__((cleanup(close_dek))) struct dek

static struct dek *open_dek(const struct vault *vault)
{
	struct dek *dek = NULL;

	ck_assert_int_eq(
		dek_open(vault->keys, &vault->context, vault->wrapped, sizeof(vault->wrapped), &dek), OK);
	return dek;
}

static struct value_context context_of(const struct vault *vault, const char *key, uint64_t version)
{
	struct value_context context = {.dek = vault->context, .key = key, .version = version};

	from_hex(VECTOR_SECRET_ID, context.secret_id, sizeof(context.secret_id));
	return context;
}

/* As make_vectors.py makes them. */
static void fill_value(unsigned char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		value[i] = (unsigned char)((7 * i + len) % 255 + 1);
}

static bool is_untouched_or_wiped(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0x5a && bytes[i] != 0)
			return false;
	return true;
}

static enum err try_open(
	const struct dek *dek, const struct value_context *context, const unsigned char *sealed, size_t len)
{
	static unsigned char out[ENVELOPE_OVERHEAD + 4096];
	size_t room = len < sizeof(out) ? len : sizeof(out);
	size_t out_len = SIZE_MAX;

	memset(out, 0x5a, room);

	enum err err = envelope_open(dek, context, sealed, len, out, &out_len);

	/* P1: a value that did not open leaves nothing of itself. */
	ck_assert(err == OK || is_untouched_or_wiped(out, room));
	ck_assert((err == OK) == (out_len != SIZE_MAX));
	return err;
}

/* A value of 10 bytes, sealed for PGPASSWORD version 1. */
static void seal_small(const struct dek *dek, const struct value_context *context, unsigned char out[SMALL])
{
	unsigned char value[10];
	unsigned char scratch[64];
	size_t len = 0;

	fill_value(value, sizeof(value));
	ck_assert_int_eq(envelope_seal(dek, context, value, sizeof(value), scratch, out, &len), OK);
	ck_assert_uint_eq(len, SMALL);
}

/* P6 */
START_TEST(dek_refuses_another_integration_and_generation)
{
	VAULT_AUTO v = vault();
	struct dek_context context = v.context;

	for (int bit = 0; bit < 128; bit++) {
		context.integration_id[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(try_dek(&v, &context), ERR_STORAGE);
		context.integration_id[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (int bit = 0; bit < 64; bit++) {
		context.generation ^= UINT64_C(1) << bit;
		ck_assert_int_eq(try_dek(&v, &context), ERR_STORAGE);
		context.generation ^= UINT64_C(1) << bit;
	}
	ck_assert_int_eq(try_dek(&v, &context), OK);
}
END_TEST

/* P6: with the same key-encryption key. */
START_TEST(dek_refuses_another_vault_and_epoch)
{
	for (int bit = 0; bit < VAULT_ID_BYTES * 8; bit++) {
		VAULT_AUTO v = vault_with(bit, RING_EPOCH);

		ck_assert_int_eq(try_dek(&v, &v.context), ERR_STORAGE);
	}
	for (int bit = 0; bit < 64; bit++) {
		VAULT_AUTO v = vault_with(-1, RING_EPOCH ^ UINT64_C(1) << bit);

		ck_assert_int_eq(try_dek(&v, &v.context), ERR_STORAGE);
	}
}
END_TEST

/* P7 */
START_TEST(dek_refuses_a_damaged_row)
{
	VAULT_AUTO v = vault();
	unsigned char longer[WRAPPED_KEY_BYTES + 1] = {0};
	struct dek *dek = NULL;

	for (size_t bit = 0; bit < WRAPPED_KEY_BYTES * 8; bit++) {
		v.wrapped[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(try_dek(&v, &v.context), ERR_STORAGE);
		v.wrapped[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	memcpy(longer, v.wrapped, WRAPPED_KEY_BYTES);
	for (size_t len = 0; len <= sizeof(longer); len++)
		if (len != WRAPPED_KEY_BYTES)
			ck_assert_int_eq(dek_open(v.keys, &v.context, longer, len, &dek), ERR_STORAGE);
	ck_assert_ptr_null(dek);
}
END_TEST

START_TEST(dek_is_busy_when_too_many_are_open)
{
	enum { PLACES = 64 };
	VAULT_AUTO v = vault();
	struct dek *deks[PLACES];

	for (size_t i = 0; i < PLACES; i++)
		deks[i] = open_dek(&v);
	ck_assert_int_eq(try_dek(&v, &v.context), ERR_BUSY);
	dek_close(deks[17]);
	ck_assert_int_eq(try_dek(&v, &v.context), OK);
	deks[17] = NULL;
	for (size_t i = 0; i < PLACES; i++)
		dek_close(deks[i]);
}
END_TEST

/* P1 */
START_TEST(dek_is_wiped_when_closed)
{
	static const unsigned char zeros[sizeof(struct dek)];
	VAULT_AUTO v = vault();
	struct dek *dek = open_dek(&v);

	ck_assert_mem_ne(dek->key.bytes, zeros, KEY_BYTES);
	dek_close(dek);
	ck_assert_mem_eq(dek, zeros, sizeof(zeros));
}
END_TEST

START_TEST(dek_is_another_one_each_time)
{
	VAULT_AUTO v = vault();
	VAULT_AUTO other = vault();

	ck_assert_int_eq(keys_new_dek(other.keys, &other.context, other.wrapped), OK);

	DEK_AUTO *one = open_dek(&v);
	DEK_AUTO *two = open_dek(&other);

	ck_assert_mem_ne(one->key.bytes, two->key.bytes, KEY_BYTES);
}
END_TEST

START_TEST(seal_refuses_lengths_out_of_range)
{
	static unsigned char value[ENVELOPE_VALUE_MAX + 1];
	static unsigned char scratch[65536];
	static unsigned char out[ENVELOPE_BYTES_MAX];
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, "K", 1);
	size_t len = 77;

	ck_assert_int_eq(envelope_seal(dek, &context, value, 0, scratch, out, &len), ERR_BAD_VALUE);
	ck_assert_int_eq(
		envelope_seal(dek, &context, value, sizeof(value), scratch, out, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(envelope_seal(dek, &context, value, SIZE_MAX, scratch, out, &len), ERR_TOO_LARGE);
	ck_assert_uint_eq(len, 77);
}
END_TEST

/* P6: a value of one integration never goes under the key of another. */
START_TEST(seal_refuses_the_key_of_another_integration)
{
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, "K", 1);
	unsigned char scratch[64];
	unsigned char out[SMALL];
	size_t len = 0;

	context.dek.generation++;
	ck_assert_int_eq(envelope_seal(dek, &context, scratch, 1, scratch, out, &len), ERR_INTERNAL);
	context.dek.generation--;
	context.dek.integration_id[0]++;
	ck_assert_int_eq(envelope_seal(dek, &context, scratch, 1, scratch, out, &len), ERR_INTERNAL);
}
END_TEST

/* P6: neither is cut to what fits the AAD. */
START_TEST(seal_refuses_a_name_that_does_not_fit)
{
	char name[300] = "";
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, name, 1);
	unsigned char value[1] = {1};
	unsigned char scratch[64];
	unsigned char out[SMALL] = {0};
	size_t len = 0;

	memset(name, 'A', sizeof(name) - 1);
	ck_assert_int_eq(envelope_seal(dek, &context, value, 1, scratch, out, &len), ERR_INTERNAL);
	ck_assert_int_eq(try_open(dek, &context, out, sizeof(out)), ERR_STORAGE);
}
END_TEST

/* P7 */
START_TEST(open_refuses_every_changed_bit)
{
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, "PGPASSWORD", 1);
	unsigned char sealed[SMALL];

	seal_small(dek, &context, sealed);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(try_open(dek, &context, sealed, sizeof(sealed)), ERR_STORAGE);
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	ck_assert_int_eq(try_open(dek, &context, sealed, sizeof(sealed)), OK);
}
END_TEST

/* P7: also where what is left has the length of a smaller class. */
START_TEST(open_refuses_every_other_length)
{
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, "PGPASSWORD", 1);
	unsigned char value[1000];
	unsigned char scratch[1024];
	unsigned char sealed[ENVELOPE_OVERHEAD + 4096] = {0};
	size_t sealed_len = 0;

	fill_value(value, sizeof(value));
	ck_assert_int_eq(
		envelope_seal(dek, &context, value, sizeof(value), scratch, sealed, &sealed_len), OK);
	for (size_t len = 0; len <= sizeof(sealed); len++)
		ck_assert_int_eq(try_open(dek, &context, sealed, len), len == sealed_len ? OK : ERR_STORAGE);
	ck_assert_int_eq(try_open(dek, &context, sealed, SIZE_MAX), ERR_STORAGE);
}
END_TEST

static void check_moved(
	const struct dek *dek, const struct value_context *context, const unsigned char sealed[SMALL])
{
	ck_assert_int_eq(try_open(dek, context, sealed, SMALL), ERR_STORAGE);
}

/* P6: each bit of each part of the context; the data key is the same throughout. */
START_TEST(open_refuses_every_changed_bit_of_the_context)
{
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	char name[] = "PGPASSWORD";
	struct value_context context = context_of(&v, name, 1);
	unsigned char sealed[SMALL];

	seal_small(dek, &context, sealed);
	for (int bit = 0; bit < 128; bit++) {
		unsigned char flip = (unsigned char)(1 << bit % 8);

		dek->vault_id[bit / 8] ^= flip;
		check_moved(dek, &context, sealed);
		dek->vault_id[bit / 8] ^= flip;
		context.secret_id[bit / 8] ^= flip;
		check_moved(dek, &context, sealed);
		context.secret_id[bit / 8] ^= flip;
		context.dek.integration_id[bit / 8] ^= flip;
		check_moved(dek, &context, sealed);
		dek->context.integration_id[bit / 8] ^= flip;
		check_moved(dek, &context, sealed);
		context.dek.integration_id[bit / 8] ^= flip;
		dek->context.integration_id[bit / 8] ^= flip;
	}
	for (int bit = 0; bit < 64; bit++) {
		context.version ^= UINT64_C(1) << bit;
		check_moved(dek, &context, sealed);
		context.version ^= UINT64_C(1) << bit;
		context.dek.generation ^= UINT64_C(1) << bit;
		check_moved(dek, &context, sealed);
		dek->context.generation ^= UINT64_C(1) << bit;
		check_moved(dek, &context, sealed);
		context.dek.generation ^= UINT64_C(1) << bit;
		dek->context.generation ^= UINT64_C(1) << bit;
	}
	for (size_t bit = 0; bit < (sizeof(name) - 1) * 8; bit++) {
		name[bit / 8] ^= (char)(1 << bit % 8);
		check_moved(dek, &context, sealed);
		name[bit / 8] ^= (char)(1 << bit % 8);
	}
	ck_assert_int_eq(try_open(dek, &context, sealed, sizeof(sealed)), OK);
}
END_TEST

/* P6: names, versions and secrets of one integration, in all ordered pairs. */
START_TEST(open_refuses_every_swap_of_two_places)
{
	enum { NAMES = 5, VERSIONS = 4, SECRETS = 2, PLACES = NAMES * VERSIONS * SECRETS };
	static const char *const names[NAMES] = {"A", "AB", "B", "PGPASSWORD", "PGPASSWORD_"};
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context places[PLACES];
	unsigned char sealed[PLACES][SMALL];

	for (size_t i = 0; i < PLACES; i++) {
		places[i] = context_of(&v, names[i % NAMES], 1 + i / NAMES % VERSIONS);
		places[i].secret_id[0] = (unsigned char)(i / (NAMES * VERSIONS));
		seal_small(dek, &places[i], sealed[i]);
	}
	for (size_t i = 0; i < PLACES; i++)
		for (size_t j = 0; j < PLACES; j++)
			ck_assert_int_eq(
				try_open(dek, &places[j], sealed[i], SMALL), i == j ? OK : ERR_STORAGE);
}
END_TEST

/* P6: a value does not open under another data key, whatever its context says. */
START_TEST(open_refuses_another_data_key)
{
	VAULT_AUTO v = vault();
	VAULT_AUTO other = vault();
	struct value_context context = context_of(&v, "PGPASSWORD", 1);
	unsigned char sealed[SMALL];

	ck_assert_int_eq(keys_new_dek(other.keys, &other.context, other.wrapped), OK);

	DEK_AUTO *one = open_dek(&v);
	DEK_AUTO *two = open_dek(&other);

	seal_small(one, &context, sealed);
	ck_assert_int_eq(try_open(two, &context, sealed, sizeof(sealed)), ERR_STORAGE);
}
END_TEST

static void seal_padded(const struct dek *dek, const struct value_context *context,
	const unsigned char *padded, size_t len, unsigned char *out)
{
	BUF_AUTO aad = {0};

	canon_label(&aad, "coffer/value/1");
	canon_fixed(&aad, dek->vault_id, sizeof(dek->vault_id));
	canon_fixed(&aad, context->dek.integration_id, sizeof(context->dek.integration_id));
	canon_u64(&aad, context->dek.generation);
	canon_fixed(&aad, context->secret_id, sizeof(context->secret_id));
	canon_text(&aad, context->key);
	canon_u64(&aad, context->version);
	ck_assert_int_eq(sealed_seal(dek->key.bytes, &aad, padded, len, out), OK);
}

/* Even from the holder of the key: a value has one padded form. */
START_TEST(open_refuses_other_paddings)
{
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, "PGPASSWORD", 1);
	unsigned char padded[256] = {'v'};
	unsigned char sealed[ENVELOPE_OVERHEAD + sizeof(padded)];

	seal_padded(dek, &context, padded, 64, sealed); /* no end mark */
	check_moved(dek, &context, sealed);
	padded[1] = 0x80;
	seal_padded(dek, &context, padded, 64, sealed);
	ck_assert_int_eq(try_open(dek, &context, sealed, SMALL), OK);
	seal_padded(dek, &context, padded, 256, sealed); /* a class too large */
	ck_assert_int_eq(try_open(dek, &context, sealed, sizeof(sealed)), ERR_STORAGE);
	seal_padded(dek, &context, padded + 1, 64, sealed); /* an empty value */
	check_moved(dek, &context, sealed);
	padded[2] = 1;
	seal_padded(dek, &context, padded, 64, sealed); /* something behind the end mark */
	check_moved(dek, &context, sealed);
}
END_TEST

START_TEST(class_is_larger_than_the_value)
{
	static const struct {
		size_t len, class;
	} rows[] = {{1, 64}, {63, 64}, {64, 256}, {255, 256}, {256, 1024}, {1023, 1024}, {1024, 4096},
		{4095, 4096}, {4096, 16384}, {16383, 16384}, {16384, 65536}, {65535, 65536}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_uint_eq(envelope_class(rows[i].len), rows[i].class);
}
END_TEST

START_TEST(open_gives_back_what_was_sealed)
{
	static const size_t lens[] = {
		1, 2, 63, 64, 65, 255, 256, 1023, 1024, 4095, 4096, 16383, 16384, 65534, 65535};
	static unsigned char value[ENVELOPE_VALUE_MAX];
	static unsigned char scratch[65536];
	static unsigned char sealed[ENVELOPE_BYTES_MAX];
	static unsigned char out[ENVELOPE_BYTES_MAX];
	static const unsigned char zeros[65536];
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, "PGPASSWORD", 1);

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t sealed_len = 0;
		size_t len = 0;

		fill_value(value, lens[i]);
		ck_assert_int_eq(
			envelope_seal(dek, &context, value, lens[i], scratch, sealed, &sealed_len), OK);
		ck_assert_uint_eq(sealed_len, ENVELOPE_OVERHEAD + envelope_class(lens[i]));
		ck_assert_mem_eq(scratch, zeros, envelope_class(lens[i])); /* P1 */
		ck_assert_int_eq(envelope_open(dek, &context, sealed, sealed_len, out, &len), OK);
		ck_assert_uint_eq(len, lens[i]);
		ck_assert_mem_eq(out, value, len);
	}
}
END_TEST

START_TEST(seal_never_gives_the_same_bytes_twice)
{
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);
	struct value_context context = context_of(&v, "PGPASSWORD", 1);
	unsigned char one[SMALL];
	unsigned char two[SMALL];

	seal_small(dek, &context, one);
	seal_small(dek, &context, two);
	ck_assert_uint_eq(one[0], ENVELOPE_FORMAT);
	for (size_t part = 1; part < SMALL; part += 24)
		ck_assert_mem_ne(one + part, two + part, part + 24 <= SMALL ? 24 : SMALL - part);
}
END_TEST

START_TEST(open_opens_the_values_of_the_format)
{
	static const struct {
		size_t len;
		uint64_t version;
		const char *sealed;
	} rows[] = {
#define X(len, version, sealed) {len, version, sealed},
		VECTOR_VALUES(X)
#undef X
	};
	VAULT_AUTO v = vault();
	DEK_AUTO *dek = open_dek(&v);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value_context context = context_of(&v, "PGPASSWORD", rows[i].version);
		unsigned char sealed[ENVELOPE_OVERHEAD + 1024];
		unsigned char out[sizeof(sealed)];
		unsigned char expected[1024];
		size_t sealed_len = strlen(rows[i].sealed) / 2;
		size_t len = 0;

		from_hex(rows[i].sealed, sealed, sealed_len);
		fill_value(expected, rows[i].len);
		ck_assert_int_eq(envelope_open(dek, &context, sealed, sealed_len, out, &len), OK);
		ck_assert_uint_eq(len, rows[i].len);
		ck_assert_mem_eq(out, expected, len);
	}
}
END_TEST

enum { STACK_BYTES = 512 * 1024, MARK_BYTES = 8 };

static const unsigned char mark[MARK_BYTES] = {0xc3, 0x5a, 0x96, 0xe1, 0x3c, 0xa5, 0x69, 0x1e};

/* Outside the sanitizer, which may put such arrays elsewhere. */
__attribute__((noinline, no_sanitize("address"))) static void leave_marks(void)
{
	volatile unsigned char frame[8192];

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = mark[i % MARK_BYTES];
}

static void *leave_only(void *arg)
{
	leave_marks();
	return arg;
}

static void *leave_and_scrub(void *arg)
{
	leave_marks();
	scrub_registers_and_stack();
	return arg;
}

/* Marks on a stack of our own after a thread has ended on it. */
static size_t marks_after(void *(*routine)(void *))
{
	unsigned char *stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;
	size_t found = 0;

	ck_assert_ptr_ne(stack, MAP_FAILED);
	ck_assert_int_eq(pthread_attr_init(&attr), 0);
	ck_assert_int_eq(pthread_attr_setstack(&attr, stack, STACK_BYTES), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, routine, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	for (size_t i = 0; i + MARK_BYTES <= STACK_BYTES; i++)
		found += memcmp(stack + i, mark, MARK_BYTES) == 0;
	(void)pthread_attr_destroy(&attr);
	(void)munmap(stack, STACK_BYTES);
	return found;
}

/* P1 */
START_TEST(scrub_leaves_nothing_in_dead_frames)
{
	ck_assert_uint_gt(marks_after(leave_only), 100);
	ck_assert_uint_eq(marks_after(leave_and_scrub), 0);
}
END_TEST

UNIT_MAIN("envelope", dek_refuses_another_integration_and_generation, dek_refuses_another_vault_and_epoch,
	dek_refuses_a_damaged_row, dek_is_busy_when_too_many_are_open, seal_refuses_lengths_out_of_range,
	seal_refuses_the_key_of_another_integration, seal_refuses_a_name_that_does_not_fit,
	open_refuses_every_changed_bit, open_refuses_every_other_length,
	open_refuses_every_changed_bit_of_the_context, open_refuses_every_swap_of_two_places,
	open_refuses_another_data_key, open_refuses_other_paddings, dek_is_wiped_when_closed,
	dek_is_another_one_each_time, class_is_larger_than_the_value, open_gives_back_what_was_sealed,
	seal_never_gives_the_same_bytes_twice, open_opens_the_values_of_the_format,
	scrub_leaves_nothing_in_dead_frames)
