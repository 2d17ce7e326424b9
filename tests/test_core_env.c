/*
 * env.fetch: who gets which values, in which form, and that a sealed value opens in its own place only.
 */
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "core_world.h"
#include "envelope.h"
#include "frame.h"

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "aaaa");
	core_put(&world, "app", "B", "bbbb");
}

#define fetch_refused(word, params) core_ask_refused(word, &world, UID_APP, "env.fetch", params)
#define fetch_ok(params) core_ask_ok(&world, UID_APP, "env.fetch", params)

static const cJSON *item(const char *key)
{
	const cJSON *at = NULL;

	cJSON_ArrayForEach(at, core_result(&world, "env"))
	{
		if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(at, "key")), key) == 0)
			return at;
	}
	return NULL;
}

static const char *item_text(const char *key, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(item(key), name));
}

/* The keys of the reply, in order. */
static const char *keys(void)
{
	static char text[256];
	const cJSON *at = NULL;

	text[0] = '\0';
	cJSON_ArrayForEach(at, core_result(&world, "env"))
	{
		strcat(text, text[0] != '\0' ? " " : "");
		strcat(text, cJSON_GetStringValue(cJSON_GetObjectItem(at, "key")));
	}
	return text;
}

/* ---- who ---- */

/* P2 */
START_TEST(an_absent_integration_answers_as_a_forbidden_one_to_the_byte)
{
	char *forbidden = NULL;

	start();
	core_add_integration(&world, "secret-thing");
	core_grant(&world, "secret-thing", UID_OTHER_APP);
	core_add_integration(&world, "gone");
	core_set_state(&world, "gone", "retired");
	core_add_integration(&world, "paused");
	core_grant(&world, "paused", UID_OTHER_APP);
	core_set_state(&world, "paused", "suspended");

	static const char *const names[] = {"secret-thing", "gone", "paused", "there-is-none", "ws/none"};
	static const uint32_t uids[] = {UID_APP, UID_STRANGER, UID_ADMIN, UID_OPERATOR, 0};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t j = 0; j < sizeof(uids) / sizeof(uids[0]); j++) {
			core_ask_refused("denied", &world, uids[j], "env.fetch",
				"{\"integration\":\"%s\",\"only\":[\"A\"]}", names[i]);
			if (forbidden == NULL)
				forbidden = strdup(world.last_text);
			ck_assert_str_eq(world.last_text, forbidden);
		}
	free(forbidden);

	/* The audit record tells them apart. */
	core_clock_ms += world.limits.refusal_window_ms + 1;
	core_tick(world.core, false);
	core_ask_refused("denied", &world, UID_APP, "env.fetch", "{\"integration\":\"there-is-none\"}");
	ck_assert_str_eq(core_record(&world, 0).detail, "no such integration");
	ck_assert_str_eq(core_record(&world, 0).integration, "there-is-none");
	core_ask_refused("denied", &world, 12345, "env.fetch", "{\"integration\":\"secret-thing\"}");
	ck_assert_str_eq(core_record(&world, 0).detail, "the rule is for another user");
	core_world_end(&world);
}
END_TEST

/* P3: an admin is no fetcher, and a grant taken back is none. */
START_TEST(only_a_grant_opens_an_environment)
{
	start();
	core_ask_refused("denied", &world, UID_ADMIN, "env.fetch", "{}");
	core_ask_refused("denied", &world, 0, "env.fetch", "{}");
	core_ask_refused("denied", &world, UID_STRANGER, "env.fetch", "{}");
	fetch_ok("{}");
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	fetch_refused("denied", "{}");
	fetch_refused("denied", "{\"integration\":\"app\"}");
	core_world_end(&world);
}
END_TEST

/* P9 */
START_TEST(a_unit_rule_needs_the_proven_unit)
{
	struct asking asking = {0};
	static const struct {
		const char *unit, *word;
	} rows[] = {{"", "denied"}, {"other.service", "denied"}, {"job.service", "ok"}};

	start();
	core_ask_ok(&world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%d\",\"unit\":\"job.service\"}}",
		UID_OTHER_APP);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		asking_start(&asking, &world, UID_OTHER_APP);
		snprintf(asking.who.unit, sizeof(asking.who.unit), "%s", rows[i].unit);
		asking_send(&asking, "env.fetch", "{}");
		turn_end(core_turn(world.core));
		ck_assert_str_eq(asking_word(&asking), rows[i].word);
		asking_end(&asking);
	}
	ck_assert_str_eq(core_record(&world, 0).unit, "job.service");
	core_world_end(&world);
}
END_TEST

START_TEST(several_granted_integrations_need_a_name)
{
	start();
	fetch_ok("{}");
	ck_assert_str_eq(core_result_text(&world, "integration"), "app");
	core_add_integration(&world, "ws/second");
	core_grant(&world, "ws/second", UID_APP);
	fetch_refused("conflict", "{}");
	fetch_ok("{\"integration\":\"app\"}");
	fetch_ok("{\"integration\":\"ws/second\"}");
	ck_assert_str_eq(core_result_text(&world, "integration"), "ws/second");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "env")), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(two_grants_of_one_integration_are_one_integration)
{
	start();
	core_ask_ok(&world, UID_ADMIN, "grant.add", "{\"integration\":\"app\",\"rule\":{\"group\":\"%d\"}}",
		UID_APP);
	fetch_ok("{}");
	core_world_end(&world);
}
END_TEST

/* ---- the integration's state ---- */

START_TEST(a_suspended_or_retired_integration_gives_nothing)
{
	start();
	core_set_state(&world, "app", "suspended");
	fetch_refused("suspended", "{}");
	core_set_state(&world, "app", "retired");
	fetch_refused("retired", "{}");
	core_set_state(&world, "app", "active");
	fetch_ok("{}");
	core_world_end(&world);
}
END_TEST

START_TEST(an_expired_integration_gives_nothing)
{
	char time[TIME_TEXT_BYTES] = "";

	start();
	text_format_time(core_clock_ms + 1000, time);
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expires_at\":\"%s\"}", time);
	core_clock_ms += 999;
	fetch_ok("{}");
	core_clock_ms += 1;
	fetch_refused("expired", "{}");
	core_world_end(&world);
}
END_TEST

START_TEST(fetches_over_the_rate_are_told_when_to_come_again)
{
	start();
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"rate_limit\":2}");
	fetch_ok("{}");
	core_clock_ms += 10000;
	fetch_ok("{}");
	fetch_refused("rate_limited", "{}");
	ck_assert_int_eq(core_retry_ms(&world), 50000);
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(
		cJSON_GetObjectItem(cJSON_GetObjectItem(world.last, "error"), "data"), "retry")));
	core_clock_ms += 50000;
	fetch_ok("{}");
	core_world_end(&world);
}
END_TEST

START_TEST(the_configured_rate_holds_without_one_of_its_own)
{
	start();
	world.limits.fetches_per_minute = 1;
	fetch_ok("{}");
	fetch_refused("rate_limited", "{}");
	core_world_end(&world);
}
END_TEST

/* ---- the values ---- */

START_TEST(a_key_without_a_value_is_never_just_missing)
{
	start();
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"B\",\"version\":1,\"force\":true}");
	fetch_refused("not_found", "{}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "B: the key has no value"));
	ck_assert_uint_eq(core_record(&world, 0).subject.len, 0); /* A was opened, and did not go out */
	fetch_refused("not_found", "{\"only\":[\"B\"]}");
	fetch_ok("{\"only\":[\"A\"]}");
	fetch_ok("{\"optional\":[\"B\"]}");
	ck_assert_str_eq(keys(), "A");
	fetch_ok("{\"only\":[\"A\",\"B\"],\"optional\":[\"B\"]}");
	ck_assert_str_eq(keys(), "A");
	ck_assert_uint_eq(core_counts(&world).runs, 3);
	core_world_end(&world);
}
END_TEST

START_TEST(a_key_that_was_asked_for_and_is_not_there_is_refused)
{
	start();
	fetch_refused("not_found", "{\"only\":[\"A\",\"C\"]}");
	ck_assert_ptr_null(strstr(core_message(&world), "C")); /* the caller's word is not repeated */
	fetch_ok("{\"only\":[\"A\",\"C\"],\"optional\":[\"C\"]}");
	ck_assert_str_eq(keys(), "A");
	fetch_ok("{\"only\":[\"C\"],\"optional\":[\"C\"]}");
	ck_assert_str_eq(keys(), "");
	fetch_ok("{\"only\":[\"B\"]}");
	ck_assert_str_eq(keys(), "B");
	fetch_ok("{\"optional\":[\"C\"]}");
	ck_assert_str_eq(keys(), "A B");
	core_world_end(&world);
}
END_TEST

START_TEST(an_expired_value_is_refused_by_its_name)
{
	char time[TIME_TEXT_BYTES] = "";

	start();
	text_format_time(core_clock_ms + 1000, time);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"B\",\"value\":\"v\",\"expires_at\":\"%s\"}", time);
	core_clock_ms += 999;
	fetch_ok("{}");
	ck_assert_str_eq(item_text("B", "expires_at"), time);
	core_clock_ms += 1;
	fetch_refused("expired", "{}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "B: the value has expired"));
	ck_assert_str_eq(core_record(&world, 0).key, "B");
	fetch_refused("expired", "{\"optional\":[\"B\"]}");
	fetch_ok("{\"only\":[\"A\"]}");
	core_world_end(&world);
}
END_TEST

static void put_bytes(const char *key, const char *bytes, size_t len)
{
	char *text = calloc(1, base64_encoded_len(len) + 1);

	ck_assert_ptr_nonnull(text);
	base64_encode((const unsigned char *)bytes, len, text);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"%s\",\"value\":\"%s\",\"encoding\":\"base64\","
		"\"multiline\":true}",
		key, text);
	free(text);
}

static void check_base64(const char *key, const char *bytes, size_t len)
{
	unsigned char out[256] = {0};
	size_t out_len = 0;
	const char *text = item_text(key, "value");

	ck_assert_str_eq(item_text(key, "encoding"), "base64");
	ck_ok(base64_decode(text, strlen(text), out, sizeof(out), &out_len));
	ck_assert_uint_eq(out_len, len);
	ck_assert_mem_eq(out, bytes, len);
}

START_TEST(what_is_no_text_comes_as_base64)
{
	char controls[200] = "";

	start();
	memset(controls, 1, sizeof(controls));
	put_bytes("BAD_UTF8", "caf\xe9", 4);
	put_bytes("OVERLONG", "\xc0\xaf", 2);
	put_bytes("CONTROLS", controls, sizeof(controls));
	put_bytes("TEXT", "na\xc3\xafve \"quoted\" \\ two\nlines\t\x7f", 29);
	fetch_ok("{}");
	check_base64("BAD_UTF8", "caf\xe9", 4);
	check_base64("OVERLONG", "\xc0\xaf", 2);
	check_base64("CONTROLS", controls, sizeof(controls));
	ck_assert_ptr_null(cJSON_GetObjectItem(item("TEXT"), "encoding"));
	ck_assert_mem_eq(item_text("TEXT", "value"), "na\xc3\xafve \"quoted\" \\ two\nlines\t\x7f", 29);
	core_world_end(&world);
}
END_TEST

START_TEST(the_largest_set_fits_in_any_form)
{
	char key[16] = "";
	char *bytes = malloc(65535);

	start();
	core_add_integration(&world, "big");
	core_grant(&world, "big", UID_OTHER_APP);
	ck_assert_ptr_nonnull(bytes);
	memset(bytes, 0xfe, 65535);

	char *text = calloc(1, base64_encoded_len(65535) + 1);

	ck_assert_ptr_nonnull(text);
	base64_encode((const unsigned char *)bytes, 65535, text);
	for (int i = 0; i < 16; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		core_ask_ok(&world, UID_OPERATOR, "secret.put",
			"{\"integration\":\"big\",\"key\":\"%s\",\"value\":\"%s\",\"encoding\":\"base64\"}",
			key, text);
	}
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "env")), 16);
	ck_assert_str_eq(item_text("K7", "value"), text);
	ck_assert_uint_le(strlen(world.last_text), REPLY_BYTES_MAX);
	free(bytes);
	free(text);
	core_world_end(&world);
}
END_TEST

/* ---- P6: a sealed value opens in its own place only ---- */

struct copy {
	const char *key;
	struct store_version version;
	unsigned char sealed[ENVELOPE_BYTES_MAX];
	char name[KEY_BYTES_MAX + 1];
	bool is_found;
};

static enum err on_copied(void *arg, const struct store_version *version)
{
	struct copy *copy = arg;

	if (strcmp(version->key, copy->key) != 0)
		return OK;
	copy->version = *version;
	memcpy(copy->sealed, version->sealed.bytes, version->sealed.len);
	snprintf(copy->name, sizeof(copy->name), "%s", version->key);
	copy->version.sealed.bytes = copy->sealed;
	copy->version.key = copy->name;
	copy->version.note = NULL;
	copy->version.issuer_ref = NULL;
	copy->is_found = true;
	return OK;
}

static enum err on_id(void *arg, const struct store_integration *integration)
{
	memcpy(arg, integration->id, STORE_ID_BYTES);
	return OK;
}

static void copy_current(const char *integration, const char *key, struct copy *copy)
{
	unsigned char id[STORE_ID_BYTES] = {0};

	*copy = (struct copy){.key = key};
	ck_ok(store_integration_get(world.core->store, integration, on_id, id));
	ck_ok(store_version_current(world.core->store, id, on_copied, copy));
	ck_assert(copy->is_found);
}

static void on_durable(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

/* The key's value is now version (its number, its ids), with these sealed bytes. */
static void plant(const struct store_version *row, const struct store_version *sealed)
{
	struct store *store = world.core->store;
	struct store_version planted = *row;
	enum err err = ERR_TIMEOUT;

	planted.sealed = sealed->sealed;
	planted.value_bytes = sealed->value_bytes;
	ck_ok(store_begin(store));
	ck_ok(store_version_set_state(
		store, row->integration_id, row->key, row->version, VERSION_DRAINING, 1));
	planted.version++;
	planted.state = VERSION_CURRENT;
	ck_ok(store_version_insert(store, &planted));
	store_commit(store, on_durable, &err);
	ck_ok(err);
}

static struct copy a, b;

static void check_does_not_open(const char *value)
{
	uint64_t runs = core_counts(&world).runs;

	fetch_refused("storage", "{\"integration\":\"app\"}");
	ck_assert_ptr_null(strstr(world.last_text, value));
	ck_assert_ptr_nonnull(strstr(core_message(&world), "A: the sealed value does not open"));
	ck_assert_uint_eq(core_counts(&world).runs, runs);

	/* P4: and the record says what was wrong, and of what was opened nothing. */
	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.outcome, "storage");
	ck_assert_str_eq(record.detail, "the sealed value does not open");
	ck_assert_str_eq(record.key, "A");
	ck_assert_uint_eq(record.subject.len, 0);
	fetch_ok("{\"integration\":\"app\",\"only\":[\"B\"]}");
}

/* P6 */
START_TEST(a_value_moved_to_another_version_does_not_open)
{
	start();
	copy_current("app", "A", &a);
	plant(&a.version, &a.version);
	check_does_not_open("aaaa");
	core_world_end(&world);
}
END_TEST

/* P6 */
START_TEST(a_value_moved_to_another_key_does_not_open)
{
	start();
	copy_current("app", "A", &a);
	core_put(&world, "app", "B", "bbbb"); /* version 2: all that differs is the key and its secret */
	copy_current("app", "B", &b);
	plant(&a.version, &b.version);
	check_does_not_open("bbbb");
	core_world_end(&world);
}
END_TEST

/* P6 */
START_TEST(a_value_moved_to_another_integration_does_not_open)
{
	start();
	core_add_integration(&world, "other");
	core_put(&world, "other", "A", "other-value");
	core_put(&world, "other", "A", "other-value");
	copy_current("app", "A", &a);
	copy_current("other", "A", &b);
	plant(&a.version, &b.version);
	check_does_not_open("other-value");
	core_world_end(&world);
}
END_TEST

/* The same row once more, removed and made anew. */
static void remake(const struct store_version *row)
{
	struct store *store = world.core->store;
	struct store_secret secret = {.key = row->key, .newest = row->version};
	enum err err = ERR_TIMEOUT;

	memcpy(secret.integration_id, row->integration_id, sizeof(secret.integration_id));
	memcpy(secret.id, row->secret_id, sizeof(secret.id));
	ck_ok(store_begin(store));
	ck_ok(store_secret_remove(store, row->integration_id, row->key));
	ck_ok(store_secret_put(store, &secret));
	ck_ok(store_version_insert(store, row));
	store_commit(store, on_durable, &err);
	ck_ok(err);
}

/* P6: the secret's id is part of its place, so a removed key's value does not come back under the same name. */
START_TEST(a_value_of_a_removed_key_does_not_open_in_its_successor)
{
	start();
	copy_current("app", "A", &a);
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true}");
	core_ask_ok(&world, UID_OPERATOR, "secret.remove", "{\"integration\":\"app\",\"key\":\"A\"}");
	core_put(&world, "app", "A", "new-value");
	copy_current("app", "A", &b);
	ck_assert_uint_eq(b.version.version, 2); /* a number never means another value */
	memcpy(a.version.secret_id, b.version.secret_id, sizeof(a.version.secret_id));
	remake(&a.version);
	check_does_not_open("aaaa");
	core_world_end(&world);
}
END_TEST

/* P6, P7: every byte of it counts, and nothing but its bytes. */
START_TEST(a_value_with_a_flipped_bit_does_not_open)
{
	start();
	copy_current("app", "A", &a);
	for (size_t i = 0; i < a.version.sealed.len; i += 16) {
		a.sealed[i] ^= 1;
		remake(&a.version);
		check_does_not_open("aaaa");
		a.sealed[i] ^= 1;
		core_clock_ms += 60001; /* so that the next refusal is a record of its own */
		core_tick(world.core, false);
	}
	remake(&a.version);
	fetch_ok("{}");
	ck_assert_str_eq(item_text("A", "value"), "aaaa");
	core_world_end(&world);
}
END_TEST

/* P6: a data key is its integration's own. */
static enum err on_swapped(void *arg, const struct store_integration *integration)
{
	struct store_integration changed = *integration;
	const struct integration *other = arg;

	changed.dek = (struct store_blob){other->dek, other->dek_len};
	return store_integration_update(world.core->store, &changed);
}

static enum err on_dek(void *arg, const struct store_integration *integration)
{
	struct integration *out = arg;

	memcpy(out->dek, integration->dek.bytes, integration->dek.len);
	out->dek_len = integration->dek.len;
	return OK;
}

START_TEST(a_data_key_moved_to_another_integration_does_not_open)
{
	struct integration other = {0};
	enum err err = ERR_TIMEOUT;

	start();
	core_add_integration(&world, "other");
	ck_ok(store_integration_get(world.core->store, "other", on_dek, &other));
	ck_ok(store_begin(world.core->store));
	ck_ok(store_integration_get(world.core->store, "app", on_swapped, &other));
	store_commit(world.core->store, on_durable, &err);
	ck_ok(err);
	fetch_refused("storage", "{}");
	core_ask_refused("storage", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"C\",\"value\":\"cccc\"}");
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P4: a refusal without its record tells nothing of what was found. */
START_TEST(a_damaged_value_is_not_told_of_without_a_record)
{
	start();
	copy_current("app", "A", &a);
	plant(&a.version, &a.version);
	core_faults.append = ERR_STORAGE;
	fetch_refused("audit_unavailable", "{}");
	ck_assert_ptr_null(strstr(core_message(&world), "A"));
	core_faults.commit = ERR_STORAGE;
	fetch_refused("audit_unavailable", "{}");
	ck_assert_ptr_null(strstr(core_message(&world), "A"));
	check_does_not_open("aaaa");
	core_world_end(&world);
}
END_TEST

/* ---- the reply ---- */

/* P8: who does not read takes only the room of its own uid. */
START_TEST(unread_replies_make_their_own_uid_wait)
{
	enum { HELD_MAX = 64 };
	static struct asking held[HELD_MAX];
	size_t count = 0;

	start();
	core_add_integration(&world, "other");
	core_grant(&world, "other", UID_OTHER_APP);
	core_world_reopen(&world);

	struct pool_block rest = {0};

	/* All of the uid's share but four pages. */
	ck_ok(pool_take(
		world.core->replies, UID_APP, (size_t)world.limits.reply_pool_bytes / 4 - 4 * 4096, &rest));
	for (count = 0; count < HELD_MAX; count++) {
		asking_start(&held[count], &world, UID_APP);
		held[count].keeps_reply = true;
		asking_send(&held[count], "env.fetch", "{}");
		turn_end(core_turn(world.core));
		if (strcmp(asking_word(&held[count]), "ok") != 0)
			break;
	}
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_lt(count, HELD_MAX);
	ck_assert_str_eq(asking_word(&held[count]), "busy");
	core_ask_refused("busy", &world, UID_APP, "env.fetch", "{}");
	ck_assert_int_eq(core_retry_ms(&world), 1000);
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{}");
	for (size_t i = 0; i <= count; i++)
		asking_end(&held[i]);
	fetch_ok("{}");
	pool_give(world.core->replies, &rest);
	core_world_end(&world);
}
END_TEST

/* P1: arena and line are looked through after every request of these tests; here, that looking helps. */
START_TEST(values_are_in_the_replys_block_alone)
{
	struct asking asking = {0};

	start();
	ck_assert_ptr_nonnull(arena_alloc(&world.core->arena, 16));
	ck_assert(!core_is_wiped(&world));
	arena_wipe(&world.core->arena);
	ck_assert(core_is_wiped(&world));
	asking_start(&asking, &world, UID_APP);
	asking.keeps_reply = true;
	asking_send(&asking, "env.fetch", "{}");
	ck_assert(asking.exchange.reply.is_secret);
	ck_assert_ptr_eq(asking.exchange.reply.bytes, asking.exchange.reply.block.bytes);
	ck_assert_ptr_nonnull(memmem(asking.exchange.reply.bytes, asking.exchange.reply.len, "\"aaaa\"", 6));
	turn_end(core_turn(world.core));

	unsigned char *bytes = asking.exchange.reply.block.bytes;
	size_t len = asking.exchange.reply.block.len;

	reply_clear(world.core, &asking.exchange.reply);
	ck_assert_int_eq(bytes[0], 0);
	ck_assert_mem_eq(bytes, bytes + 1, len - 1);
	ck_assert_ptr_null(asking.exchange.reply.bytes);
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

START_TEST(a_fetch_gives_each_current_value_with_its_version_and_is_recorded)
{
	start();
	core_put(&world, "app", "A", "a-two");
	fetch_ok("{}");
	ck_assert_str_eq(core_result_text(&world, "integration"), "app");
	ck_assert_uint_eq(strlen(core_result_text(&world, "run")), 26);
	ck_assert_str_eq(keys(), "A B");
	ck_assert_str_eq(item_text("A", "value"), "a-two");
	ck_assert_int_eq(cJSON_GetObjectItem(item("A"), "version")->valueint, 2);
	ck_assert_ptr_null(cJSON_GetObjectItem(item("A"), "expires_at"));
	ck_assert_str_eq(item_text("B", "value"), "bbbb");
	ck_assert_int_eq(cJSON_GetObjectItem(world.last, "id")->valueint, 7);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "env.fetch");
	ck_assert_str_eq(record.outcome, "ok");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_str_eq(record.subject.text, "A=2 B=1");
	ck_assert_str_eq(record.run, core_result_text(&world, "run"));
	ck_assert_uint_eq(record.uid, UID_APP);
	ck_assert_uint_eq(core_counts(&world).runs, 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_env", an_absent_integration_answers_as_a_forbidden_one_to_the_byte,
	only_a_grant_opens_an_environment, a_unit_rule_needs_the_proven_unit,
	several_granted_integrations_need_a_name, two_grants_of_one_integration_are_one_integration,
	a_suspended_or_retired_integration_gives_nothing, an_expired_integration_gives_nothing,
	fetches_over_the_rate_are_told_when_to_come_again, the_configured_rate_holds_without_one_of_its_own,
	a_key_without_a_value_is_never_just_missing, a_key_that_was_asked_for_and_is_not_there_is_refused,
	an_expired_value_is_refused_by_its_name, what_is_no_text_comes_as_base64,
	the_largest_set_fits_in_any_form, a_value_moved_to_another_version_does_not_open,
	a_value_moved_to_another_key_does_not_open, a_value_moved_to_another_integration_does_not_open,
	a_value_of_a_removed_key_does_not_open_in_its_successor, a_value_with_a_flipped_bit_does_not_open,
	a_data_key_moved_to_another_integration_does_not_open,
	a_damaged_value_is_not_told_of_without_a_record, unread_replies_make_their_own_uid_wait,
	values_are_in_the_replys_block_alone,
	a_fetch_gives_each_current_value_with_its_version_and_is_recorded)
