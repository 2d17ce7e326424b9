/*
 * Credentials of units: who gets which, what is refused, and what the journal and the audit log are told.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core_world.h"
#include "log.h"

static struct core_world world;

/* ---- one delivery, one turn ---- */

struct asked {
	struct exchange exchange; /* first */
	struct principal who;
	struct delivery delivery;
	bool is_delivered;
	bool is_secret;
	char value[64]; /* what came, NUL added */
	size_t len;
};

static void on_delivered(struct exchange *exchange)
{
	struct asked *asked = (struct asked *)(void *)exchange;
	const struct reply *reply = &exchange->reply;

	ck_assert(!asked->is_delivered);
	asked->is_delivered = true;
	asked->is_secret = reply->is_secret;
	asked->len = reply->len;
	ck_assert_uint_lt(reply->len, sizeof(asked->value));
	if (reply->len > 0)
		memcpy(asked->value, reply->bytes, reply->len);
	reply_clear(world.core, &exchange->reply);
}

static void ask_for(struct asked *asked, const char *unit, const char *name, const char *id)
{
	*asked = (struct asked){.exchange.deliver = on_delivered,
		.who = {.pid = getpid(), .pidfd = -1},
		.delivery = {.unit = unit, .name = name, .id = id}};
	snprintf(asked->who.unit, sizeof(asked->who.unit), "%s", unit);
	asked->exchange.principal = &asked->who;
	turn_deliver(core_turn(world.core), &asked->exchange, &asked->delivery);
	ck_assert(!asked->is_delivered); /* P4: not before the commit */
	ck_assert(core_is_wiped(&world));
}

/* An id as nobody had it before. */
static const char *new_id(void)
{
	static char id[33];
	static unsigned count;

	snprintf(id, sizeof(id), "%032x", ++count);
	return id;
}

/* "ok" or the error's word; the value of an ok is in last. */
static struct asked last;

static const char *deliver(const char *unit, const char *name)
{
	ask_for(&last, unit, name, new_id());
	turn_end(core_turn(world.core));
	ck_assert(last.is_delivered);
	ck_assert_int_eq(last.len > 0, last.exchange.err == OK);
	return last.exchange.err == OK ? "ok" : err_word(last.exchange.err);
}

#define refused(word, unit, name) ck_assert_str_eq(deliver(unit, name), word)

/* ---- the log ---- */

static FILE *log_file;
static int stderr_before;

static void watch_log(void)
{
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	stderr_before = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(log_file), STDERR_FILENO), 0);
	log_set_level(LOG_LEVEL_WARNING);
}

/* What was said since watch_log. */
static const char *end_log(void)
{
	static char text[4096];

	log_set_level((enum log_level)0);
	ck_assert_int_ge(dup2(stderr_before, STDERR_FILENO), 0);
	close(stderr_before);
	rewind(log_file);
	text[fread(text, 1, sizeof(text) - 1, log_file)] = '\0';
	fclose(log_file);
	return text;
}

static size_t count(const char *text, const char *part)
{
	size_t found = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
		found++;
	return found;
}

/* ---- refused ---- */

START_TEST(nothing_is_delivered_without_a_grant)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_put(&world, "app", "API_KEY", "value");
	watch_log();
	refused("denied", "etl.service", "API_KEY");
	ck_assert_ptr_nonnull(strstr(end_log(), "etl.service: credential API_KEY refused: "));
	ck_assert(!last.is_secret);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "credential.deliver");
	ck_assert_str_eq(record.outcome, "denied");
	ck_assert_str_eq(record.unit, "etl.service");
	ck_assert_ptr_nonnull(strstr(record.subject.text, "credential='API_KEY'"));
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_sealed_vault_refuses_and_says_so)
{
	core_world_start_sealed(&world);
	watch_log();
	refused("sealed", "etl.service", "API_KEY");
	ck_assert_ptr_nonnull(
		strstr(end_log(), "etl.service: credential API_KEY refused: the vault is sealed"));
	core_world_end(&world);
}
END_TEST

/* Each refusal is counted before its unit hears of it; without the record there is no answer but no. */
START_TEST(a_refusal_that_cannot_be_recorded_is_told_as_such)
{
	core_world_start(&world);
	core_faults.commit = ERR_STORAGE_FULL;
	watch_log();
	refused("audit_unavailable", "etl.service", "API_KEY");
	ck_assert_ptr_nonnull(strstr(end_log(), "it could not be recorded"));
	core_world_end(&world);
}
END_TEST

START_TEST(a_unit_that_is_restarted_all_the_time_does_not_flood_the_log)
{
	core_world_start(&world);
	watch_log();
	for (int i = 0; i < 90; i++) {
		refused("denied", "etl.service", "API_KEY");
		core_clock_ms += 1000;
	}
	refused("denied", "etl.service", "OTHER");
	refused("denied", "web.service", "API_KEY");

	const char *log = end_log();

	ck_assert_uint_eq(count(log, "etl.service: credential API_KEY refused: "), 2);
	ck_assert_uint_eq(count(log, "etl.service: credential API_KEY refused 59 times more"), 1);
	ck_assert_uint_eq(count(log, "etl.service: credential OTHER refused: "), 1);
	ck_assert_uint_eq(count(log, "web.service: credential API_KEY refused: "), 1);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_delivery", nothing_is_delivered_without_a_grant, a_sealed_vault_refuses_and_says_so,
	a_refusal_that_cannot_be_recorded_is_told_as_such,
	a_unit_that_is_restarted_all_the_time_does_not_flood_the_log)
