/* Bytes to lines in locked memory: what is kept, what is wiped, and where it lies. */
#include "intake.h"

#include <string.h>

#include "frame.h"
#include "random.h"
#include "unit.h"

enum { POOL_BYTES = 1 << 20, STRANGER = 4096, UID = 1000 };

static struct intake_room room;

static void set_up(void)
{
	ck_assert_int_eq(intake_room_init(&room, POOL_BYTES, true), OK);
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
	while (len > 0 && bytes[len - 1] == 0)
		len--;
	return len == 0;
}

/* The whole share of a uid can be taken, so nothing was forgotten; then it is over. */
static void tear_down(void)
{
	struct pool_block all = {0};

	ck_assert(is_zero(room.fresh.bytes, room.fresh.len)); /* P1 */
	ck_assert_int_eq(pool_take(room.lines, UID, LINE_BYTES_MAX + 1, &all), OK);
	pool_give(room.lines, &all);
	intake_room_deinit(&room);
}

/* Feeds as one read of the socket does; returns how many bytes fitted. */
static size_t feed(struct intake *intake, const char *bytes, size_t len)
{
	size_t space = 0;
	unsigned char *tail = intake_tail(intake, &room, &space);
	size_t count = len < space ? len : space;

	ck_assert_uint_gt(space, 0);
	memcpy(tail, bytes, count);
	intake_add(intake, count);
	return count;
}

START_TEST(intake_refuses_a_line_over_its_limit)
{
	struct intake intake = {.limit = 8};
	char *line = NULL;
	size_t len = 0;

	set_up();
	ck_assert_uint_eq(feed(&intake, "12345678", 8), 8);
	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), ERR_NOT_FOUND);
	ck_assert_uint_eq(feed(&intake, "9and more", 9), 1); /* never more than is needed to judge */
	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), ERR_TOO_LARGE);
	intake_clear(&intake, &room);
	tear_down();
}
END_TEST

START_TEST(intake_says_busy_when_the_share_is_used_up_and_keeps_the_bytes)
{
	struct intake intake = {.limit = STRANGER};
	struct pool_block block = {0};
	char *line = NULL;
	size_t len = 0;

	set_up();
	ck_assert_int_eq(pool_take(room.lines, UID, LINE_BYTES_MAX + 1, &block), OK);
	ck_assert_uint_eq(feed(&intake, "half", 4), 4);
	ck_assert_int_eq(intake_keep(&intake, &room, UID), ERR_BUSY);
	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), ERR_NOT_FOUND);
	ck_assert_uint_eq(intake.len, 4);
	ck_assert_int_eq(intake_keep(&intake, &room, UID + 1), OK); /* others have their own share */
	intake_clear(&intake, &room);
	pool_give(room.lines, &block);
	tear_down();
}
END_TEST

/* P1 */
START_TEST(intake_wipes_a_line_as_soon_as_it_is_dropped)
{
	struct intake intake = {.limit = STRANGER};
	char *line = NULL;
	size_t len = 0;

	set_up();
	feed(&intake, "secret one\nsecret two\nsec", 25);
	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), OK);
	ck_assert_uint_eq(len, 10);
	intake_drop(&intake, &room, len, STRANGER);
	ck_assert(is_zero(room.fresh.bytes, 11));
	ck_assert_int_eq(intake_keep(&intake, &room, UID), OK);
	ck_assert(is_zero(room.fresh.bytes, room.fresh.len));

	unsigned char *bytes = intake.block.bytes;

	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), OK);
	ck_assert_ptr_eq(line, bytes);
	intake_drop(&intake, &room, len, STRANGER);
	ck_assert(is_zero(bytes, 11));
	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), ERR_NOT_FOUND);
	feed(&intake, "", 0); /* moves what is left to the front, and wipes where it was */
	ck_assert_int_eq(memcmp(bytes, "sec", 3), 0);
	ck_assert(is_zero(bytes + 3, intake.block.len - 3));
	intake_clear(&intake, &room);
	ck_assert(is_zero(bytes, 3));
	tear_down();
}
END_TEST

START_TEST(intake_takes_one_page_for_a_short_beginning)
{
	struct intake intake = {.limit = STRANGER};

	set_up();
	feed(&intake, "x", 1);
	ck_assert_int_eq(intake_keep(&intake, &room, UID), OK);
	ck_assert_uint_eq(intake.block.len, 4096);
	intake_clear(&intake, &room);
	ck_assert_ptr_null(intake.block.bytes);
	tear_down();
}
END_TEST

START_TEST(intake_needs_no_block_for_a_whole_line)
{
	struct intake intake = {.limit = STRANGER};
	char *line = NULL;
	size_t len = 0;

	set_up();
	feed(&intake, "whole\n", 6);
	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), OK);
	ck_assert_ptr_eq(line, room.fresh.bytes);
	intake_drop(&intake, &room, len, STRANGER);
	ck_assert_int_eq(intake_keep(&intake, &room, UID), OK);
	ck_assert_ptr_null(intake.block.bytes);
	tear_down();
}
END_TEST

/* Lines of many lengths, cut in pieces of many lengths, come out as they went in. */
START_TEST(intake_gives_the_same_lines_whatever_the_pieces)
{
	enum { LINES = 400 };
	static char stream[LINES * (STRANGER + 1)];
	static size_t lens[LINES];
	struct random random = {7};
	struct intake intake = {.limit = STRANGER};
	size_t total = 0;
	size_t sent = 0;
	size_t checked = 0;
	size_t at = 0;

	set_up();
	for (size_t i = 0; i < LINES; i++) {
		lens[i] = i % 10 == 0 ? STRANGER - random_below(&random, 3) : random_below(&random, 300);
		memset(stream + total, 'a' + (int)(i % 26), lens[i]);
		stream[total + lens[i]] = '\n';
		total += lens[i] + 1;
	}
	while (checked < LINES) {
		size_t piece = random_below(&random, 4) == 0 ? 5000 : 1 + random_below(&random, 400);
		char *line = NULL;
		size_t len = 0;

		sent += feed(&intake, stream + sent, piece < total - sent ? piece : total - sent);
		while (intake_cut(&intake, &room, &line, &len) == OK) {
			ck_assert_uint_eq(len, lens[checked]);
			ck_assert_int_eq(memcmp(line, stream + at, len), 0);
			at += len + 1;
			checked++;
			intake_drop(&intake, &room, len, STRANGER);
		}
		ck_assert_int_eq(intake_keep(&intake, &room, UID), OK);
		ck_assert(is_zero(room.fresh.bytes, room.fresh.len));
	}
	ck_assert_uint_eq(intake.len, 0);
	tear_down();
}
END_TEST

START_TEST(intake_lets_a_line_grow_to_the_largest)
{
	static char text[LINE_BYTES_MAX + 1];
	struct intake intake = {.limit = STRANGER};
	char *line = NULL;
	size_t len = 0;
	size_t sent = 0;

	set_up();
	memset(text, 'x', sizeof(text));
	text[LINE_BYTES_MAX] = '\n';
	while (sent < sizeof(text)) {
		size_t left = sizeof(text) - sent;

		sent += feed(&intake, text + sent, left < 1000 ? left : 1000);
		if (intake_cut(&intake, &room, &line, &len) == ERR_TOO_LARGE) {
			ck_assert_uint_eq(intake.limit, STRANGER);
			intake.limit = LINE_BYTES_MAX;
		}
		ck_assert_int_eq(intake_keep(&intake, &room, UID), OK);
	}
	ck_assert_int_eq(intake_cut(&intake, &room, &line, &len), OK);
	ck_assert_uint_eq(len, LINE_BYTES_MAX);
	intake_drop(&intake, &room, len, STRANGER);
	ck_assert_uint_eq(intake.limit, STRANGER);
	tear_down();
}
END_TEST

UNIT_MAIN("intake", intake_refuses_a_line_over_its_limit,
	intake_says_busy_when_the_share_is_used_up_and_keeps_the_bytes,
	intake_wipes_a_line_as_soon_as_it_is_dropped, intake_takes_one_page_for_a_short_beginning,
	intake_needs_no_block_for_a_whole_line, intake_gives_the_same_lines_whatever_the_pieces,
	intake_lets_a_line_grow_to_the_largest)
