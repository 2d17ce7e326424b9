/* Made values: what a length may be, and that no character is likelier than another. */
#include <string.h>

#include "generate.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(generate_refuses_lengths_out_of_bounds)
{
	static const char *const bad[] = {"0", "15", "1025", "-16", "+20", "2x", "x", " 20", "20 ", "0x20",
		"2.5", "18446744073709551632", "99999999999999999999999999"};
	size_t len = 0;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!generate_len(bad[i], &len), "%s", bad[i]);
}
END_TEST

START_TEST(generate_takes_the_lengths_within)
{
	static const struct {
		const char *text;
		size_t len;
	} good[] = {{"", 32}, {"16", 16}, {"020", 20}, {"1024", 1024}};
	size_t len = 0;

	for (size_t i = 0; i < COUNT(good); i++) {
		ck_assert(generate_len(good[i].text, &len));
		ck_assert_uint_eq(len, good[i].len);
	}
}
END_TEST

START_TEST(generate_passes_over_bytes_that_would_favour_some)
{
	unsigned char random[8] = {248, 249, 250, 251, 252, 253, 254, 255};
	unsigned char out[8] = "";

	ck_assert_uint_eq(generate_characters(random, sizeof(random), out, sizeof(out)), 0);
	random[7] = 247;
	ck_assert_uint_eq(generate_characters(random, sizeof(random), out, sizeof(out)), 1);
	ck_assert_int_eq(out[0], '9');
}
END_TEST

START_TEST(generate_makes_each_character_from_as_many_bytes)
{
	unsigned char random[256];
	unsigned char out[256];
	unsigned counts[256] = {0};

	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (unsigned char)i;
	ck_assert_uint_eq(generate_characters(random, sizeof(random), out, sizeof(out)), 248);
	for (size_t i = 0; i < 248; i++)
		counts[out[i]]++;
	for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"; *c != '\0';
		c++)
		ck_assert_uint_eq(counts[(unsigned char)*c], 4);
}
END_TEST

START_TEST(generate_stops_where_the_room_ends)
{
	unsigned char random[4] = {0, 1, 255, 2};
	unsigned char out[3] = {'-', '-', '-'};

	ck_assert_uint_eq(generate_characters(random, sizeof(random), out, 2), 2);
	ck_assert_mem_eq(out, "AB-", 3);
}
END_TEST

START_TEST(generate_makes_a_value_within_its_arena_or_none)
{
	struct arena arena = {0};
	struct secret value = {0};

	ck_assert_int_eq(arena_init(&arena, 4096, true), OK);
	ck_assert_int_eq(generate_value(&arena, 8192, &value), ERR_INTERNAL);
	ck_assert_ptr_null(value.bytes);
	ck_assert_int_eq(generate_value(&arena, 1000, &value), OK);
	ck_assert_uint_eq(value.len, 1000);
	for (size_t i = 0; i < value.len; i++)
		ck_assert_ptr_nonnull(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
			value.bytes[i], 62));
	/* Only the value is left: the bytes that it was made from are wiped. */
	memset(value.bytes, 0, value.len);
	ck_assert_uint_gt(arena.used, value.len);
	for (size_t i = 0; i < arena.used; i++)
		ck_assert_int_eq(arena.memory.bytes[i], 0);
	arena_deinit(&arena);
}
END_TEST

UNIT_MAIN("generate", generate_refuses_lengths_out_of_bounds, generate_takes_the_lengths_within,
	generate_passes_over_bytes_that_would_favour_some, generate_makes_each_character_from_as_many_bytes,
	generate_stops_where_the_room_ends, generate_makes_a_value_within_its_arena_or_none)
