/* Canonical bytes: two different inputs never give the same (P6, P7). */
#include <stdint.h>
#include <string.h>

#include "canon.h"
#include "unit.h"

/* A length that no 32-bit field holds; the bytes behind it are never read. */
START_TEST(canon_refuses_a_length_that_its_field_cannot_hold)
{
	BUF_AUTO buf = {0};

	canon_bytes(&buf, "", (size_t)UINT32_MAX + 1);
	ck_assert(buf_failed(&buf));
}
END_TEST

START_TEST(canon_refuses_to_cut_short)
{
	char bytes[8];
	struct buf buf = {0};

	buf_init_fixed(&buf, bytes, sizeof(bytes));
	canon_text(&buf, "12345");
	ck_assert(buf_failed(&buf));
	canon_u8(&buf, 1);
	ck_assert(buf_failed(&buf));
}
END_TEST

static void check_differ(const char *a_first, const char *a_second, const char *b_first, const char *b_second)
{
	BUF_AUTO a = {0};
	BUF_AUTO b = {0};

	canon_text(&a, a_first);
	canon_text(&a, a_second);
	canon_text(&b, b_first);
	canon_text(&b, b_second);
	ck_assert(!buf_failed(&a) && !buf_failed(&b));
	ck_assert(a.len != b.len || memcmp(a.bytes, b.bytes, a.len) != 0);
}

START_TEST(canon_keeps_fields_apart)
{
	check_differ("ab", "c", "a", "bc");
	check_differ("", "a", "a", "");
	check_differ("a", NULL, NULL, "a");
	check_differ("a\1", "", "a", "\1");
}
END_TEST

START_TEST(canon_writes_the_bytes_of_its_description)
{
	static const unsigned char expected[] = {'l', 'a', 0, 0xab, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 'f',
		'x', 2, 0, 0, 0, 'h', 'i', 1, 0, 0, 0, 't', 0, 0, 0, 0, 0, 0, 0, 0};
	BUF_AUTO buf = {0};

	canon_label(&buf, "la");
	canon_u8(&buf, 0xab);
	canon_u32(&buf, 0x01020304);
	canon_u64(&buf, 0x0102030405060708);
	canon_fixed(&buf, "fx", 2);
	canon_bytes(&buf, "hi", 2);
	canon_text(&buf, "t");
	canon_text(&buf, NULL);
	canon_bytes(&buf, NULL, 0);
	ck_assert(!buf_failed(&buf));
	ck_assert_uint_eq(buf.len, sizeof(expected));
	ck_assert_mem_eq(buf.bytes, expected, sizeof(expected));
}
END_TEST

UNIT_MAIN("canon", canon_refuses_a_length_that_its_field_cannot_hold, canon_refuses_to_cut_short,
	canon_keeps_fields_apart, canon_writes_the_bytes_of_its_description)
