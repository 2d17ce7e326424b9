/*
 * Credentials of units: who gets which, what is refused, and what the journal and the audit log are told.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core_world.h"
#include "log.h"
#include "process.h"

static struct core_world world;

/* ---- the service manager: which cgroup and which invocation the unit has ---- */

static struct {
	struct unit_place place; /* the cgroup: a directory in which the test plays the kernel */
	char invocation[PROCESS_INVOCATION_BYTES]; /* "": there is none */
	bool is_hidden; /* the cgroup of the unit cannot be seen */
	bool has_ended; /* the process that connected */
	struct puppet main;
} here;

static const char first_invocation[] = "00000000000000000000000000000001";
static const char second_invocation[] = "00000000000000000000000000000002";

enum err __wrap_process_describe(const struct principal *who, struct process *out);
enum err __wrap_process_describe(const struct principal *who, struct process *out)
{
	*out = (struct process){.pid = who->pid};
	memcpy(out->unit, who->unit, sizeof(out->unit));
	if (here.has_ended)
		return ERR_DENIED;
	if (here.is_hidden)
		return OK;
	memcpy(out->invocation, here.invocation, sizeof(out->invocation));
	snprintf(out->cgroup, sizeof(out->cgroup), "%s", here.place.directory);
	out->cgroup_id = here.place.id;
	return OK;
}

void __wrap_process_invocation(const char *name, char out[PROCESS_INVOCATION_BYTES]);
void __wrap_process_invocation(const char *name, char out[PROCESS_INVOCATION_BYTES])
{
	(void)name;
	memcpy(out, here.invocation, PROCESS_INVOCATION_BYTES);
}

/* The unit starts, in a cgroup of its own; its first process is there when it asks for its credentials. */
static void unit_start(const char *invocation)
{
	unit_place_plain(&here.place);
	here.main = puppet_new();
	unit_place_join(&here.place, &here.main);
	strcpy(here.invocation, invocation);
}

/* In the plain directory the list of processes stays; one that has ended is no process. */
static void unit_empty(void)
{
	puppet_exit(&here.main, 0);
}

static void unit_stop(void)
{
	unit_empty();
	unit_place_remove(&here.place);
	here.invocation[0] = '\0';
}

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

/* ---- the vault: app has API_KEY ---- */

/* Whom a unit lets in is for two people to say. */
static void grant(const char *integration, const char *rule, const char *more)
{
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "grant.add",
				 "{\"integration\":\"%s\",\"rule\":{%s}%s}", integration, rule, more),
		"ok");
}

static void start(void)
{
	memset(&here, 0, sizeof(here));
	puppets_start();
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_put(&world, "app", "API_KEY", "key of app");
	unit_start(first_invocation);
}

static void start_granted(void)
{
	start();
	grant("app", "\"unit\":\"etl.service\"", "");
}

static void end(void)
{
	if (here.invocation[0] != '\0')
		unit_stop();
	core_world_end(&world);
	puppets_end();
}

#define delivered(value_wanted, unit_name, name) \
	do { \
		ck_assert_str_eq(deliver(unit_name, name), "ok"); \
		ck_assert_str_eq(last.value, value_wanted); \
	} while (0)

/* "KEY=version:holder invocation", one after the other. */
static const char *holders(void)
{
	static char text[512];
	const cJSON *item = NULL;

	text[0] = '\0';
	core_ask_ok(&world, UID_OPERATOR, "holder.list", "{}");
	cJSON_ArrayForEach(item, core_result(&world, "holders"))
	{
		size_t len = strlen(text);

		ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(item, "delivered")));
		snprintf(text + len, sizeof(text) - len, "%s%s=%d:%s %s %.2s", len > 0 ? ", " : "",
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "key")),
			cJSON_GetObjectItem(item, "version")->valueint,
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "holder")),
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "unit")),
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "invocation")) + 30);
	}
	return text;
}

static void try_revoke(const char *word, int version, const char *more)
{
	core_ask_refused(word, &world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"API_KEY\",\"version\":%d%s}", version, more);
}

/* ---- refused ---- */

START_TEST(nothing_is_delivered_without_a_grant)
{
	start();
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
	end();
}
END_TEST

/* P9, P4: what was claimed stands in the record, and is not what the record says of who asked; nobody floods the log. */
START_TEST(a_claim_that_is_not_believed_is_recorded_as_a_claim)
{
	struct asked asked = {0};

	start_granted();
	watch_log();
	for (int i = 0; i < 3; i++) {
		asked = (struct asked){.exchange.deliver = on_delivered,
			.who = {.pid = getpid(), .pidfd = -1, .unit = "web.service"},
			.delivery = {.unit = "etl.service", .name = "API_KEY", .id = new_id()}};
		asked.exchange.principal = &asked.who;
		turn_refuse_delivery(core_turn(world.core), &asked.exchange, &asked.delivery, ERR_DENIED,
			"not in that unit");
		turn_end(core_turn(world.core));
		ck_assert(asked.is_delivered);
		ck_assert_uint_eq(asked.len, 0);
		ck_assert_int_eq(asked.exchange.err, ERR_DENIED);
	}
	ck_assert_uint_eq(count(end_log(), "etl.service: credential API_KEY refused: not in that unit"), 1);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "credential.deliver");
	ck_assert_str_eq(record.outcome, "denied");
	ck_assert_str_eq(record.unit, "web.service");
	ck_assert_str_eq(record.detail, "not in that unit");
	ck_assert_str_eq(record.subject.text, "credential='API_KEY' claims='etl.service'");
	core_check_chain(&world);
	end();
}
END_TEST

/* P2: the conditions of a process are not asked of the service manager, which is root. */
START_TEST(only_a_rule_of_a_unit_alone_delivers)
{
	start();
	grant("app", "\"user\":\"0\"", "");
	grant("app", "\"group\":\"0\"", "");
	grant("app", "\"user\":\"0\",\"unit\":\"etl.service\"", "");
	grant("app", "\"group\":\"0\",\"unit\":\"etl.service\"", "");
	grant("app", "\"token\":true,\"unit\":\"etl.service\"", "");
	grant("app", "\"unit\":\"etl.service\"", ",\"staged_only\":true");
	grant("app", "\"unit\":\"web.service\"", "");
	grant("app", "\"unit\":\"etl@*.service\"", "");
	grant("app", "\"unit\":\"etl@1.service\"", "");
	refused("denied", "etl.service", "API_KEY");
	refused("denied", "etl@.service", "API_KEY");
	refused("denied", "etl@*.service", "API_KEY");
	refused("denied", "etl@1.socket", "API_KEY");
	refused("denied", "", "API_KEY");
	grant("app", "\"unit\":\"etl.service\"", "");
	delivered("key of app", "etl.service", "API_KEY");
	end();
}
END_TEST

START_TEST(what_the_unit_has_not_got_is_refused)
{
	start_granted();
	core_stage(&world, "app", "NEW_KEY", "staged");
	refused("not_found", "etl.service", "OTHER");
	refused("not_found", "etl.service", "api_key");
	refused("not_found", "etl.service", "");
	refused("not_found", "etl.service", "API_KEY.txt");
	refused("not_found", "etl.service", "LD_PRELOAD");
	refused("not_found", "etl.service", "NEW_KEY"); /* it has no current version */
	ck_assert_str_eq(core_record(&world, 0).detail, "no integration granted to the unit has this key");
	end();
}
END_TEST

/* A key that somebody adds to another integration must not change what a running system gets. */
START_TEST(a_name_that_could_mean_two_things_is_refused)
{
	start_granted();
	core_add_integration(&world, "billing");
	core_put(&world, "billing", "ONLY_HERE", "key of billing");
	grant("billing", "\"unit\":\"etl.service\"", "");
	delivered("key of app", "etl.service", "API_KEY");
	core_put(&world, "billing", "API_KEY", "another");
	watch_log();
	refused("conflict", "etl.service", "API_KEY");
	ck_assert_ptr_nonnull(strstr(end_log(), "have this key: app and billing"));
	delivered("key of billing", "etl.service", "ONLY_HERE");
	end();
}
END_TEST

START_TEST(two_grants_of_one_integration_mean_the_same)
{
	start();
	grant("app", "\"unit\":\"etl@*.service\"", "");
	grant("app", "\"unit\":\"etl@1.service\"", "");
	delivered("key of app", "etl@1.service", "API_KEY");
	end();
}
END_TEST

START_TEST(an_integration_that_gives_nothing_delivers_nothing)
{
	start_granted();
	core_set_state(&world, "app", "suspended");
	watch_log();
	refused("suspended", "etl.service", "API_KEY");
	ck_assert_ptr_nonnull(strstr(
		end_log(), "etl.service: credential API_KEY of app refused: the integration is suspended"));
	core_set_state(&world, "app", "retired");
	refused("retired", "etl.service", "API_KEY");
	core_set_state(&world, "app", "active");
	core_ask_ok(&world, UID_ADMIN, "integration.edit",
		"{\"name\":\"app\",\"expires_at\":\"2027-01-16T00:00:00Z\"}");
	core_clock_ms = 1800100000000;
	refused("expired", "etl.service", "API_KEY");
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expires_at\":\"\"}");
	delivered("key of app", "etl.service", "API_KEY");
	end();
}
END_TEST

START_TEST(a_value_that_has_expired_is_refused)
{
	start_granted();
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"API_KEY\",\"value\":\"v\",\"expires_at\":\"2027-01-16T00:"
		"00:00Z\"}");
	delivered("v", "etl.service", "API_KEY");
	core_clock_ms = 1800100000000;
	refused("expired", "etl.service", "API_KEY");
	end();
}
END_TEST

START_TEST(deliveries_count_towards_the_rate_limit)
{
	start_granted();
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"rate_limit\":2}");
	delivered("key of app", "etl.service", "API_KEY");
	delivered("key of app", "etl.service", "API_KEY");
	refused("rate_limited", "etl.service", "API_KEY");
	core_clock_ms += 60000;
	delivered("key of app", "etl.service", "API_KEY");
	end();
}
END_TEST

static int use_of_today(const char *name)
{
	const cJSON *days = NULL;

	core_ask_ok(&world, UID_OPERATOR, "usage.show", "{\"integration\":\"app\"}");
	days = core_result(&world, "days");

	const cJSON *day = cJSON_GetArrayItem(days, cJSON_GetArraySize(days) - 1);
	const cJSON *number = cJSON_GetObjectItem(day, name);

	ck_assert_msg(number != NULL, "%s", world.last_text);
	return number->valueint;
}

START_TEST(deliveries_and_refusals_are_use)
{
	start_granted();
	delivered("key of app", "etl.service", "API_KEY");
	delivered("key of app", "etl.service", "API_KEY");
	ck_assert_int_eq(use_of_today("fetches"), 2);
	core_set_state(&world, "app", "suspended");
	for (int i = 0; i < 3; i++)
		refused("suspended", "etl.service", "API_KEY"); /* two of them share a record */
	ck_assert_int_eq(use_of_today("refused"), 3);
	end();
}
END_TEST

/* P9, and nobody could say who holds it. */
START_TEST(a_unit_that_cannot_be_followed_gets_nothing)
{
	start_granted();
	here.has_ended = true;
	refused("denied", "etl.service", "API_KEY");
	here.has_ended = false;
	here.is_hidden = true;
	refused("denied", "etl.service", "API_KEY");
	ck_assert_ptr_nonnull(strstr(core_record(&world, 0).detail, "ended"));
	ck_assert_str_eq(holders(), "");
	end();
}
END_TEST

START_TEST(without_locked_memory_there_is_no_value)
{
	struct pool_block block = {0};

	start_granted();
	ck_ok(pool_take(world.core->replies, 0, (size_t)world.limits.reply_pool_bytes / 4, &block));
	refused("busy", "etl.service", "API_KEY");
	ck_assert_str_eq(holders(), "");
	pool_give(world.core->replies, &block);
	delivered("key of app", "etl.service", "API_KEY");
	end();
}
END_TEST

/* P4, P5: what is not on disk did not happen, in memory neither. */
START_TEST(a_delivery_that_cannot_be_recorded_is_none)
{
	start_granted();

	struct store_counts before = core_counts(&world);

	core_faults.commit = ERR_STORAGE_FULL;
	refused("audit_unavailable", "etl.service", "API_KEY");
	core_faults.append = ERR_STORAGE_FULL;
	refused("audit_unavailable", "etl.service", "API_KEY");
	ck_assert_uint_eq(core_counts(&world).runs, before.runs);
	ck_assert_str_eq(holders(), "");
	delivered("key of app", "etl.service", "API_KEY");

	/* What was there before stays as it was. */
	strcpy(here.invocation, second_invocation);
	core_faults.commit = ERR_STORAGE_FULL;
	refused("audit_unavailable", "etl.service", "API_KEY");
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	core_world_reopen(&world);
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	core_check_chain(&world);
	end();
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
	core_faults.begin = ERR_STORAGE;
	watch_log();
	refused("audit_unavailable", "etl.service", "API_KEY");
	ck_assert_ptr_nonnull(strstr(end_log(), "refused: the audit record cannot be stored"));
	core_faults.begin = OK;
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

/* ---- what the name means ---- */

START_TEST(a_credential_can_be_named_otherwise_than_its_key)
{
	start();
	grant("app", "\"unit\":\"etl.service\"",
		",\"credentials\":{\"app.key\":\"API_KEY\",\"later\":\"LATER\"}");
	delivered("key of app", "etl.service", "app.key");
	ck_assert_str_eq(core_record(&world, 0).key, "API_KEY");
	ck_assert_str_eq(core_record(&world, 0).subject.text, "API_KEY=1 credential='app.key'");
	delivered("key of app", "etl.service", "API_KEY");
	refused("denied", "web.service", "app.key");
	refused("not_found", "etl.service", "later"); /* the key has no value yet */
	core_put(&world, "app", "LATER", "came later");
	delivered("came later", "etl.service", "later");
	end();
}
END_TEST

/* What a grant says comes before what happens to have that name. */
START_TEST(a_grants_word_goes_before_a_keys_name)
{
	start_granted();
	core_add_integration(&world, "billing");
	core_put(&world, "billing", "API_KEY", "key of billing");
	core_put(&world, "billing", "TOKEN", "token of billing");
	grant("billing", "\"unit\":\"etl.service\"", "");
	refused("conflict", "etl.service", "API_KEY");
	grant("billing", "\"unit\":\"etl.service\"", ",\"credentials\":{\"API_KEY\":\"TOKEN\"}");
	delivered("token of billing", "etl.service", "API_KEY");
	end();
}
END_TEST

START_TEST(two_patterns_that_mean_two_things_are_refused)
{
	start();
	core_put(&world, "app", "OTHER", "other");
	grant("app", "\"unit\":\"etl@*.service\"",
		",\"credentials\":{\"db\":\"API_KEY\",\"same\":\"API_KEY\"}");
	grant("app", "\"unit\":\"etl@1.service\"",
		",\"credentials\":{\"db\":\"OTHER\",\"same\":\"API_KEY\"}");
	watch_log();
	refused("conflict", "etl@1.service", "db");
	ck_assert_ptr_nonnull(
		strstr(end_log(), "grants say two things that this credential means: app and app"));
	delivered("key of app", "etl@1.service", "same");
	delivered("key of app", "etl@2.service", "db");
	end();
}
END_TEST

#define grant_refused(word, params) \
	core_ask_refused(word, &world, 0, "grant.add", "{\"integration\":\"app\"," params "}")

START_TEST(what_a_credential_means_is_said_once)
{
	start();
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"app\",\"environment\":\"sandbox\"}"),
		"ok");
	grant_refused("bad_value", "\"rule\":{\"user\":\"5\"},\"credentials\":{\"a\":\"A\"}");
	grant_refused("bad_value",
		"\"rule\":{\"user\":\"5\",\"unit\":\"e.service\"},\"credentials\":{\"a\":\"A\"}");
	grant_refused("bad_value",
		"\"rule\":{\"token\":true,\"unit\":\"e.service\"},\"credentials\":{\"a\":\"A\"}");
	grant_refused("bad_value",
		"\"rule\":{\"unit\":\"e.service\"},\"staged_only\":true,\"credentials\":{\"a\":\"A\"}");
	grant_refused("bad_name", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"a/b\":\"A\"}");
	grant_refused("bad_name", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"a:b\":\"A\"}");
	grant_refused("bad_name", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"..\":\"A\"}");
	grant_refused("bad_name", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"a\":\"A B\"}");
	grant_refused(
		"reserved_name", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"a\":\"LD_PRELOAD\"}");
	grant_refused("bad_request", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"a\":1}");
	grant_refused("bad_request", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":[\"a\"]");
	grant_refused("too_large", "\"rule\":{\"unit\":\"a-unit-with-a-name-of-some-length-and-more@*."
				   "service\"},\"credentials\":"
				   "{\"a-credential-with-a-longer-name2\":\"A\"}");

	core_ask_ok(&world, 0, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"b\":\"B\","
		"\"a\":\"A\"}}");
	ck_assert_str_eq(core_record(&world, 0).subject.text, "unit=e.service credential=b=B credential=a=A");

	const cJSON *credentials = cJSON_GetObjectItem(core_result(&world, "grant"), "credentials");

	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(credentials, "a")), "A");
	ck_assert_int_eq(cJSON_GetArraySize(credentials), 2);
	grant_refused(
		"conflict", "\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"c\":\"C\",\"a\":\"A\"}");
	ck_assert_ptr_nonnull(
		strstr(core_message(&world), "a of this unit means A already, by grant 1 of app"));
	grant_refused("conflict", "\"rule\":{\"unit\":\"e.service\"}"); /* it says nothing new */
	core_ask_ok(&world, 0, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"c\":\"C\"}}");
	core_ask_ok(&world, 0, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	core_ask_ok(&world, 0, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"unit\":\"e.service\"},\"credentials\":{\"a\":\"C\"}}");
	core_ask_ok(&world, 0, "integration.retire", "{\"name\":\"app\"}");
	ck_assert_uint_eq(core_counts(&world).grants, 0);
	end();
}
END_TEST

/* ---- explained ---- */

/* What grant.explain says of app: "ok", what would be met, or "elsewhere". */
static const char *explained(uint32_t uid, const char *unit, const char *name)
{
	core_ask_ok(&world, uid, "grant.explain",
		"{\"integration\":\"app\",\"unit\":\"%s\",\"credential\":\"%s\"}", unit, name);

	const char *blocked = core_result_text(&world, "blocked");

	if (cJSON_IsTrue(core_result(&world, "delivers")))
		return blocked == NULL ? "ok" : "both";
	return blocked == NULL ? "elsewhere" : blocked;
}

#define same_as_explained(word, unit, name) \
	do { \
		ck_assert_str_eq(explained(UID_AUDITOR, unit, name), word); \
		ck_assert_str_eq(deliver(unit, name), word); \
	} while (0)

START_TEST(an_explanation_asks_what_decides)
{
	start();
	core_ask_refused("bad_value", &world, UID_AUDITOR, "grant.explain",
		"{\"integration\":\"app\",\"credential\":\"A\"}");
	core_ask_refused("bad_value", &world, UID_AUDITOR, "grant.explain",
		"{\"integration\":\"app\",\"credential\":\"A\",\"unit\":\"etl.service\",\"user\":\"0\"}");
	core_ask_refused("bad_value", &world, UID_AUDITOR, "grant.explain",
		"{\"integration\":\"app\",\"credential\":\"A\",\"unit\":\"etl@*.service\"}");
	core_ask_refused("denied", &world, UID_STRANGER, "grant.explain",
		"{\"integration\":\"app\",\"credential\":\"A\",\"unit\":\"etl.service\"}");

	same_as_explained("denied", "etl.service", "API_KEY");
	grant("app", "\"unit\":\"etl.service\"", ",\"credentials\":{\"later\":\"LATER\"}");
	same_as_explained("ok", "etl.service", "API_KEY");
	same_as_explained("denied", "web.service", "API_KEY");
	same_as_explained("not_found", "etl.service", "OTHER");
	same_as_explained("not_found", "etl.service", "later");
	ck_assert_str_eq(explained(UID_AUDITOR, "etl.service", "later"), "not_found");
	ck_assert_str_eq(core_result_text(&world, "key"), "LATER");
	ck_assert_str_eq(core_result_text(&world, "verdict"), "refused: LATER has no current version");
	core_put(&world, "app", "LATER", "l");
	same_as_explained("ok", "etl.service", "later");
	core_set_state(&world, "app", "suspended");
	same_as_explained("suspended", "etl.service", "API_KEY");
	core_set_state(&world, "app", "active");
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"LATER\",\"value\":\"v\",\"expires_at\":\"2027-01-16T00:"
		"00:00Z\"}");
	core_clock_ms = 1800100000000;
	same_as_explained("expired", "etl.service", "later");

	core_add_integration(&world, "billing");
	core_put(&world, "billing", "API_KEY", "another");
	core_put(&world, "billing", "ONLY_HERE", "b");
	grant("billing", "\"unit\":\"etl.service\"", "");
	same_as_explained("conflict", "etl.service", "API_KEY");
	ck_assert_str_eq(explained(UID_AUDITOR, "etl.service", "ONLY_HERE"), "elsewhere");
	ck_assert_str_eq(core_result_text(&world, "verdict"), "it is a key of billing");
	end();
}
END_TEST

/* P2: who manages app hears nothing of other integrations. */
START_TEST(an_explanation_names_no_other_integration_to_a_manager)
{
	start();
	core_ask_ok(&world, 0, "integration.add",
		"{\"name\":\"mine\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"managed_by\":[\"%u\"]}",
		UID_APP);
	core_put(&world, "mine", "API_KEY", "m");
	grant("app", "\"unit\":\"etl.service\"", "");
	core_put(&world, "app", "ONLY_HERE", "a");
	grant("mine", "\"unit\":\"etl.service\"", "");
	for (size_t i = 0; i < 2; i++) {
		core_ask_ok(&world, UID_APP, "grant.explain",
			"{\"integration\":\"mine\",\"unit\":\"etl.service\",\"credential\":\"%s\"}",
			i == 0 ? "API_KEY" : "ONLY_HERE");
		ck_assert_ptr_null(strstr(core_result_text(&world, "verdict"), "app"));
	}
	end();
}
END_TEST

/* P7: what the store says about a unit's place may be anybody's text. */
START_TEST(a_row_of_a_holder_that_was_planted_is_no_place)
{
	static char cgroup[700];
	struct store_unit_holder row = {.key = "API_KEY",
		.version = 1,
		.cgroup_id = 7,
		.boot = process_boot(),
		.unit = "etl.service",
		.invocation = first_invocation,
		.cgroup = cgroup,
		.is_any_parent = true};
	enum err err = ERR_TIMEOUT;

	start_granted();
	memset(cgroup, 'x', sizeof(cgroup) - 1);
	ck_ok(store_begin(world.core->store));
	ck_ok(store_unit_holder_put(world.core->store, &row));
	row.cgroup = "";
	row.cgroup_id = 8;
	ck_ok(store_unit_holder_put(world.core->store, &row));
	store_commit(world.core->store, core_on_own_commit, &err);
	ck_ok(err);
	core_world_reopen(&world);
	here.is_hidden = true;
	refused("denied", "etl.service", "API_KEY");
	end();
}
END_TEST

/* ---- once ---- */

static const char *deliver_as(const char *id)
{
	ask_for(&last, "etl.service", "API_KEY", id);
	turn_end(core_turn(world.core));
	return last.exchange.err == OK ? "ok" : err_word(last.exchange.err);
}

/* A connection that comes back after a crash: whether its value had left, nobody can tell. */
START_TEST(a_value_leaves_once_under_an_id)
{
	static const char first_id[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char second_id[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	enum { KEPT_DAYS = 7, DAY_MS = 24 * 3600 * 1000 };

	start();
	ck_assert_str_eq(deliver_as(first_id), "denied");
	grant("app", "\"unit\":\"etl.service\"", "");
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(deliver_as(first_id), "audit_unavailable");
	ck_assert_str_eq(deliver_as(first_id), "ok"); /* nothing had left under it */
	ck_assert_str_eq(deliver_as(first_id), "conflict");
	ck_assert_uint_eq(last.len, 0);
	core_world_reopen(&world);
	ck_assert_str_eq(deliver_as(first_id), "conflict");
	ck_assert_ptr_nonnull(strstr(core_record(&world, 0).detail, "may have left already"));
	ck_assert_str_eq(deliver_as(second_id), "ok");
	core_clock_ms += (int64_t)KEPT_DAYS * DAY_MS;
	core_tick(world.core, false);
	ck_assert_str_eq(deliver_as(first_id), "conflict");
	core_clock_ms += DAY_MS;
	core_tick(world.core, false);
	ck_assert_str_eq(deliver_as(first_id), "ok");
	core_check_chain(&world);
	end();
}
END_TEST

/* In one turn, too: the second one sees the first one's row. */
START_TEST(two_deliveries_of_one_turn_and_one_id_are_one)
{
	struct asked first, second;

	start_granted();
	ask_for(&first, "etl.service", "API_KEY", "cccccccccccccccccccccccccccccccc");
	ask_for(&second, "etl.service", "API_KEY", "cccccccccccccccccccccccccccccccc");
	turn_end(core_turn(world.core));
	ck_assert_int_eq(first.exchange.err, OK);
	ck_assert_int_eq(second.exchange.err, ERR_CONFLICT);
	end();
}
END_TEST

/* ---- delivered ---- */

/* No quotes, no encoding, and no newline but its own. */
START_TEST(a_value_is_delivered_as_it_is)
{
	start_granted();
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"API_KEY\",\"value\":\"/wEibGluZSIKCg==\",\"encoding\":"
		"\"base64\",\"multiline\":true}");
	ck_assert_str_eq(deliver("etl.service", "API_KEY"), "ok");
	ck_assert_uint_eq(last.len, 10);
	ck_assert_mem_eq(last.value, "\xff\x01\"line\"\n\n", 10);
	end();
}
END_TEST

START_TEST(a_delivery_is_a_run_in_the_record)
{
	start_granted();
	delivered("key of app", "etl.service", "API_KEY");
	ck_assert(last.is_secret);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "credential.deliver");
	ck_assert_str_eq(record.outcome, "ok");
	ck_assert_str_eq(record.unit, "etl.service");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_str_eq(record.key, "API_KEY");
	ck_assert_uint_eq(record.version, 1);
	ck_assert_uint_eq(record.object, 1);
	ck_assert_str_eq(record.subject.text, "API_KEY=1 credential='API_KEY'");
	core_ask_ok(&world, UID_OPERATOR, "run.list", "{\"integration\":\"app\"}");

	const cJSON *run = cJSON_GetArrayItem(core_result(&world, "runs"), 0);

	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(run, "run")), record.run);
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(run, "unit")), "etl.service");
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(run, "state")), "delivered");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(run, "ended_at")));
	core_note_undelivered(world.core, &last.exchange);
	turn_end(core_turn(world.core));
	record = core_record(&world, 0);
	ck_assert_str_eq(record.kind, "credential.deliver");
	ck_assert_str_eq(record.outcome, "undelivered");
	ck_assert_str_eq(record.unit, "etl.service");
	ck_assert_str_eq(record.subject.text, "credential='API_KEY'"); /* a unit has several */
	core_check_chain(&world);
	end();
}
END_TEST

START_TEST(every_instance_of_a_template_gets_its_own)
{
	start();
	grant("app", "\"unit\":\"etl@*.service\"", "");
	delivered("key of app", "etl@1.service", "API_KEY");
	delivered("key of app", "etl@a\\x2fb.service", "API_KEY");
	delivered("key of app", "etl@a@b.c.service", "API_KEY");
	ck_assert_str_eq(core_record(&world, 0).unit, "etl@a@b.c.service");
	end();
}
END_TEST

/* ---- who holds it ---- */

START_TEST(the_units_invocation_holds_what_was_delivered)
{
	start_granted();
	delivered("key of app", "etl.service", "API_KEY");
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	core_put(&world, "app", "API_KEY", "two");
	try_revoke("in_use", 1, "");
	try_revoke("in_use", 1, ",\"processes_only\":true"); /* it is no child of somebody: it was given it */
	core_world_reopen(&world); /* it survives the daemon */
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	try_revoke("in_use", 1, "");
	delivered("two", "etl.service", "API_KEY");
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01, API_KEY=2:unit etl.service 01");
	unit_stop();
	ck_assert_str_eq(holders(), "");
	try_revoke("ok", 1, "");
	core_tick(world.core, false);
	core_world_reopen(&world);
	ck_assert_str_eq(holders(), "");
	end();
}
END_TEST

/* Between two of its commands, or where it remains after exit, the service manager keeps the value for the here. */
START_TEST(an_empty_unit_holds_as_long_as_its_invocation_lasts)
{
	start_granted();
	delivered("key of app", "etl.service", "API_KEY");
	unit_empty();
	core_tick(world.core, false);
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	core_world_reopen(&world);
	core_tick(world.core, false);
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	strcpy(here.invocation, second_invocation);
	ck_assert_str_eq(holders(), "");
	end();
}
END_TEST

/* Processes that a stopped unit leaves behind have what they had. */
START_TEST(processes_that_are_left_behind_hold)
{
	start_granted();
	delivered("key of app", "etl.service", "API_KEY");
	here.invocation[0] = '\0';
	core_tick(world.core, false);
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	unit_empty();
	ck_assert_str_eq(holders(), "");
	unit_place_remove(&here.place);
	end();
}
END_TEST

/* A new value for a unit that was restarted in the same cgroup is the new invocation's. */
START_TEST(what_is_delivered_again_is_held_by_the_newer_invocation)
{
	start_granted();
	delivered("key of app", "etl.service", "API_KEY");
	delivered("key of app", "etl.service", "API_KEY"); /* for ExecStartPre= and for ExecStart= */
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01");
	unit_empty();
	strcpy(here.invocation, second_invocation);
	ck_assert_str_eq(holders(), "");
	delivered(
		"key of app", "etl.service", "API_KEY"); /* its row was marked as gone and not removed yet */
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 02");
	core_world_reopen(&world);
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 02");
	end();
}
END_TEST

/* Newer service managers ask from outside of the unit when it is reloaded. */
START_TEST(a_value_that_is_asked_for_anew_is_held_by_the_same_unit)
{
	start_granted();
	here.is_hidden = true;
	refused("denied", "etl.service", "API_KEY");
	here.is_hidden = false;
	delivered("key of app", "etl.service", "API_KEY");
	core_put(&world, "app", "API_KEY", "two");
	here.is_hidden = true;
	delivered("two", "etl.service", "API_KEY");
	ck_assert_str_eq(holders(), "API_KEY=1:unit etl.service 01, API_KEY=2:unit etl.service 01");
	refused("denied", "web.service", "API_KEY");
	unit_stop();
	ck_assert_str_eq(holders(), "");
	end();
}
END_TEST

UNIT_MAIN("core_delivery", nothing_is_delivered_without_a_grant,
	a_claim_that_is_not_believed_is_recorded_as_a_claim, only_a_rule_of_a_unit_alone_delivers,
	what_the_unit_has_not_got_is_refused, a_name_that_could_mean_two_things_is_refused,
	two_grants_of_one_integration_mean_the_same, an_integration_that_gives_nothing_delivers_nothing,
	a_value_that_has_expired_is_refused, deliveries_and_refusals_are_use,
	deliveries_count_towards_the_rate_limit, a_unit_that_cannot_be_followed_gets_nothing,
	without_locked_memory_there_is_no_value, a_delivery_that_cannot_be_recorded_is_none,
	a_sealed_vault_refuses_and_says_so, a_refusal_that_cannot_be_recorded_is_told_as_such,
	a_unit_that_is_restarted_all_the_time_does_not_flood_the_log,
	a_credential_can_be_named_otherwise_than_its_key, a_grants_word_goes_before_a_keys_name,
	two_patterns_that_mean_two_things_are_refused, what_a_credential_means_is_said_once,
	an_explanation_asks_what_decides, an_explanation_names_no_other_integration_to_a_manager,
	a_row_of_a_holder_that_was_planted_is_no_place, a_value_leaves_once_under_an_id,
	two_deliveries_of_one_turn_and_one_id_are_one, a_value_is_delivered_as_it_is,
	a_delivery_is_a_run_in_the_record, every_instance_of_a_template_gets_its_own,
	the_units_invocation_holds_what_was_delivered, an_empty_unit_holds_as_long_as_its_invocation_lasts,
	processes_that_are_left_behind_hold, what_is_delivered_again_is_held_by_the_newer_invocation,
	a_value_that_is_asked_for_anew_is_held_by_the_same_unit)
