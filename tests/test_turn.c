/*
 * The turn: one commit for all that arrived in it, nothing told before it, everything taken back with it.
 */
#include <string.h>
#include <unistd.h>

#include "core_world.h"
#include "fault_vfs.h"

static struct core_world world;

#define FETCH_APP "{\"integration\":\"app\"}"

/* An integration "app" with A=aaaa, granted to UID_APP. */
static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "aaaa");
}

/* Nothing was stored since: neither rows nor records, and the chain goes on from where it was. */
static void check_unchanged(const struct store_counts *before)
{
	struct store_counts after = core_counts(&world);

	ck_assert_uint_eq(after.versions, before->versions);
	ck_assert_uint_eq(after.secrets, before->secrets);
	ck_assert_uint_eq(after.runs, before->runs);
	ck_assert_uint_eq(after.audit_records, before->audit_records);
	core_check_chain(&world);
}

/* One of each kind of request, in one turn. */
struct mixed {
	struct asking fetch, put, denied, read, hello;
};

static void send_mixed(struct mixed *mixed)
{
	world.delivered = 0;
	asking_start(&mixed->fetch, &world, UID_APP);
	asking_start(&mixed->put, &world, UID_OPERATOR);
	asking_start(&mixed->denied, &world, UID_STRANGER);
	asking_start(&mixed->read, &world, UID_AUDITOR);
	asking_start(&mixed->hello, &world, UID_STRANGER);
	asking_send(&mixed->fetch, "env.fetch", FETCH_APP);
	asking_send(&mixed->put, "secret.put", "{\"integration\":\"app\",\"key\":\"B\",\"value\":\"bbbb\"}");
	asking_send(&mixed->denied, "secret.list", FETCH_APP);
	asking_send(&mixed->read, "secret.list", FETCH_APP); /* B is in it, committed or not */
	asking_send(&mixed->hello, "hello", "{}");
}

static void check_mixed(
	const struct mixed *mixed, const char *fetch, const char *put, const char *denied, const char *read)
{
	ck_assert_str_eq(asking_word(&mixed->fetch), fetch);
	ck_assert_str_eq(asking_word(&mixed->put), put);
	ck_assert_str_eq(asking_word(&mixed->denied), denied);
	ck_assert_str_eq(asking_word(&mixed->read), read);
	ck_assert_str_eq(asking_word(&mixed->hello), "ok");
	ck_assert_uint_eq(mixed->fetch.place, 1);
	ck_assert_uint_eq(mixed->put.place, 2);
	ck_assert_uint_eq(mixed->denied.place, 3);
	ck_assert_uint_eq(mixed->read.place, 4);
	ck_assert_uint_eq(mixed->hello.place, 5);
}

static void end_mixed(struct mixed *mixed)
{
	asking_end(&mixed->fetch);
	asking_end(&mixed->put);
	asking_end(&mixed->denied);
	asking_end(&mixed->read);
	asking_end(&mixed->hello);
}

static bool is_pool_whole(void)
{
	struct pool_block block = {0};
	size_t share = (size_t)world.limits.reply_pool_bytes / 4;
	enum err err = pool_take(world.core->replies, UID_APP, share, &block);

	pool_give(world.core->replies, &block);
	return err == OK;
}

/* ---- refused requests ---- */

START_TEST(a_refused_request_leaves_its_record_and_no_effect)
{
	start();

	struct store_counts before = core_counts(&world);

	core_ask_refused("bad_value", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"B\",\"value\":\"b\",\"expires_at\":\"2001-01-01T00:00:"
		"00Z\"}");
	core_ask_refused("conflict", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"b\",\"if_absent\":true}");
	core_ask_refused(
		"not_found", &world, UID_APP, "env.fetch", "{\"integration\":\"app\",\"only\":[\"X\"]}");

	struct store_counts after = core_counts(&world);

	ck_assert_uint_eq(after.secrets, before.secrets);
	ck_assert_uint_eq(after.versions, before.versions);
	ck_assert_uint_eq(after.runs, before.runs);
	ck_assert_uint_eq(after.audit_records, before.audit_records + 3);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* Its run row is written before the reply is found to have no room. */
START_TEST(what_a_request_wrote_before_its_refusal_is_gone)
{
	struct pool_block block = {0};

	start();
	ck_ok(pool_take(world.core->replies, UID_APP, (size_t)world.limits.reply_pool_bytes / 4, &block));
	core_ask_refused("busy", &world, UID_APP, "env.fetch", FETCH_APP);
	ck_assert_int_gt(core_retry_ms(&world), 0);
	ck_assert_uint_eq(core_counts(&world).runs, 0);
	pool_give(world.core->replies, &block);
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP);
	ck_assert_uint_eq(core_counts(&world).runs, 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_refusal_takes_nothing_from_its_neighbours_in_the_turn)
{
	struct asking good = {0}, bad = {0}, last = {0};

	start();
	asking_start(&good, &world, UID_OPERATOR);
	asking_start(&bad, &world, UID_OPERATOR);
	asking_start(&last, &world, UID_OPERATOR);
	asking_send(&good, "secret.put", "{\"integration\":\"app\",\"key\":\"B\",\"value\":\"b\"}");
	asking_send(&bad, "secret.put", "{\"integration\":\"app\",\"key\":\"C\",\"value\":\"c\\nc\"}");
	asking_send(&last, "secret.put", "{\"integration\":\"app\",\"key\":\"D\",\"value\":\"d\"}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&good), "ok");
	ck_assert_str_eq(asking_word(&bad), "bad_value");
	ck_assert_str_eq(asking_word(&last), "ok");
	ck_assert_uint_eq(core_counts(&world).secrets, 3);
	core_check_chain(&world);
	asking_end(&good);
	asking_end(&bad);
	asking_end(&last);
	core_world_end(&world);
}
END_TEST

START_TEST(a_line_that_cannot_be_handed_over_is_refused_and_recorded)
{
	struct asking asking = {0};

	start();

	uint64_t before = core_records(&world);

	asking_start(&asking, &world, UID_STRANGER);
	asking.exchange.principal = &asking.who;
	turn_refuse(core_turn(world.core), &asking.exchange, ERR_TOO_LARGE, "a line has at most 4096 bytes");
	ck_assert(turn_is_open(core_turn(world.core)));
	turn_end(core_turn(world.core));
	ck_assert(!turn_is_open(core_turn(world.core)));
	ck_assert_str_eq(asking_word(&asking), "too_large");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(asking.json, "id")));
	ck_assert_uint_eq(core_records(&world), before + 1);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "line");
	ck_assert_str_eq(record.outcome, "too_large");
	ck_assert_uint_eq(record.uid, UID_STRANGER);
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

/* ---- records that cannot be stored ---- */

/* P4: what cannot be recorded does not happen. */
START_TEST(a_fetch_that_cannot_be_recorded_is_refused)
{
	start();

	struct store_counts before = core_counts(&world);

	core_faults.append = ERR_STORAGE_FULL;
	core_ask_refused("audit_unavailable", &world, UID_APP, "env.fetch", FETCH_APP);
	ck_assert_uint_eq(core_counts(&world).runs, before.runs);
	ck_assert_uint_eq(core_records(&world), before.audit_records + 1); /* of the refusal */
	ck_assert(is_pool_whole());
	core_check_chain(&world);
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP);
	core_world_end(&world);
}
END_TEST

/* P4 */
START_TEST(a_change_that_cannot_be_recorded_is_undone)
{
	start();

	struct store_counts before = core_counts(&world);

	core_faults.append = ERR_STORAGE_FULL;
	core_ask_refused("storage_full", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"B\",\"value\":\"b\"}");
	ck_assert_uint_eq(core_counts(&world).secrets, before.secrets);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P4 */
START_TEST(a_refusal_that_cannot_be_recorded_says_so)
{
	start();

	struct store_counts before = core_counts(&world);

	core_faults.append = ERR_STORAGE;
	core_ask_refused("audit_unavailable", &world, UID_STRANGER, "secret.list", FETCH_APP);
	check_unchanged(&before);

	/* No window was opened by it: the next one is a record. */
	core_ask_refused("denied", &world, UID_STRANGER, "secret.list", FETCH_APP);
	ck_assert_uint_eq(core_records(&world), before.audit_records + 1);
	core_world_end(&world);
}
END_TEST

/* ---- a turn that is lost ---- */

START_TEST(a_store_that_cannot_begin_serves_only_what_needs_no_store)
{
	struct mixed mixed = {0};

	start();

	struct store_counts before = core_counts(&world);

	core_faults.begin = ERR_STORAGE;
	send_mixed(&mixed);
	turn_end(core_turn(world.core));
	check_mixed(&mixed, "audit_unavailable", "storage", "audit_unavailable", "audit_unavailable");
	ck_assert_uint_eq(core_faults.commits, mixed.fetch.commits_before);
	core_faults.begin = OK;
	check_unchanged(&before);
	ck_assert(is_pool_whole());
	end_mixed(&mixed);
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP);
	core_world_end(&world);
}
END_TEST

/* P4, P5: every reply was prepared as a success and none of them was true. */
START_TEST(a_failed_commit_takes_every_prepared_reply_back)
{
	static const struct {
		enum err err;
		const char *put;
	} rows[] = {{ERR_STORAGE, "storage"}, {ERR_STORAGE_FULL, "storage_full"}};

	for (size_t i = 0; i < 2; i++) {
		struct mixed mixed = {0};

		start();

		struct store_counts before = core_counts(&world);
		struct chain chain = world.core->chain;

		send_mixed(&mixed);
		ck_assert(mixed.fetch.exchange.reply.is_secret);
		ck_assert_uint_gt(world.core->chain.seq, chain.seq);
		core_faults.commit = rows[i].err;
		turn_end(core_turn(world.core));
		check_mixed(
			&mixed, "audit_unavailable", rows[i].put, "audit_unavailable", "audit_unavailable");
		ck_assert(!mixed.fetch.is_secret);
		ck_assert_ptr_null(strstr(mixed.fetch.text, "aaaa"));
		ck_assert(is_pool_whole());
		ck_assert_mem_eq(&world.core->chain, &chain, sizeof(chain));
		check_unchanged(&before);
		end_mixed(&mixed);

		/* The same again goes through, from the same head. */
		send_mixed(&mixed);
		turn_end(core_turn(world.core));
		check_mixed(&mixed, "ok", "ok", "denied", "ok");
		core_check_chain(&world);
		end_mixed(&mixed);
		core_world_end(&world);
	}
}
END_TEST

/* P4: the reply's block is wiped when it is given back. */
START_TEST(a_secret_reply_that_is_taken_back_is_wiped)
{
	struct asking asking = {0};

	start();
	asking_start(&asking, &world, UID_APP);
	asking_send(&asking, "env.fetch", FETCH_APP);

	struct pool_block block = asking.exchange.reply.block;

	ck_assert_ptr_nonnull(memmem(block.bytes, block.len, "aaaa", 4));
	core_faults.commit = ERR_STORAGE;
	turn_end(core_turn(world.core));
	ck_assert_ptr_null(memmem(block.bytes, block.len, "aaaa", 4));
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

START_TEST(a_request_that_loses_the_transaction_loses_it_for_the_turn)
{
	struct mixed mixed = {0};

	start();

	struct store_counts before = core_counts(&world);

	core_faults.insert = ERR_STORAGE_FULL;
	send_mixed(&mixed);
	turn_end(core_turn(world.core));
	check_mixed(&mixed, "audit_unavailable", "storage_full", "audit_unavailable", "audit_unavailable");
	ck_assert(is_pool_whole());
	check_unchanged(&before);
	end_mixed(&mixed);
	core_world_end(&world);
}
END_TEST

START_TEST(a_connection_to_be_closed_is_closed_after_a_lost_turn_too)
{
	struct asking asking = {0};

	start();
	asking_start(&asking, &world, UID_STRANGER);
	asking_send(&asking, "hello", "{\"protocol\":[2]}");
	core_faults.commit = ERR_STORAGE;
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "audit_unavailable");
	ck_assert(asking.must_close);
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

/* P10: whatever else is true, the ciphertext may still be in the log. */
START_TEST(a_revoke_without_its_checkpoint_is_not_acknowledged)
{
	static const char revoke[] = "{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true,"
				     "\"request_id\":\"00000000000000000000000000000001\"}";

	start();

	unsigned before = core_faults.checkpoints;

	core_faults.checkpoint = ERR_STORAGE;
	core_ask_refused("storage", &world, UID_OPERATOR, "secret.revoke", revoke);
	ck_assert_uint_eq(core_faults.checkpoints, before + 1);

	/* The repeated request has its first result, and its reply waits for a checkpoint as the first one did. */
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke", revoke);
	ck_assert_uint_eq(core_faults.checkpoints, before + 2);
	core_faults.checkpoint = ERR_STORAGE;
	core_ask_refused("storage", &world, UID_OPERATOR, "secret.revoke", revoke);
	core_world_end(&world);
}
END_TEST

/* P10: what could not be folded is folded as soon as it can be, also when nobody asks. */
START_TEST(an_owed_checkpoint_is_made_later)
{
	start();
	core_put(&world, "app", "A", "b");

	unsigned before = core_faults.checkpoints;

	core_faults.checkpoint = ERR_STORAGE;
	core_ask_refused("storage", &world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1}");
	ck_assert_uint_eq(core_faults.checkpoints, before + 1);
	core_tick(world.core, false);
	ck_assert_uint_eq(core_faults.checkpoints, before + 2);
	core_tick(world.core, false);
	ck_assert_uint_eq(core_faults.checkpoints, before + 2);

	core_faults.checkpoint = ERR_STORAGE;
	core_ask_refused("storage", &world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":2,\"force\":true}");
	core_ask_ok(&world, UID_STRANGER, "hello", "{}");
	ck_assert_uint_eq(core_faults.checkpoints, before + 4);
	core_world_end(&world);
}
END_TEST

/* ---- a real disk that fails ---- */

START_TEST(a_full_disk_refuses_by_name_and_ends_with_the_space)
{
	struct mixed mixed = {0};

	fault_vfs_start();
	start();

	struct store_counts before = core_counts(&world);

	send_mixed(&mixed);
	fault_vfs_fail(FAULT_FULL, 1, true);
	turn_end(core_turn(world.core));
	ck_assert(fault_vfs_has_failed());
	check_mixed(&mixed, "audit_unavailable", "storage_full", "audit_unavailable", "audit_unavailable");
	fault_vfs_fail(FAULT_FULL, 0, false);
	check_unchanged(&before);
	end_mixed(&mixed);
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP);
	core_world_end(&world);
}
END_TEST

static void on_broken(void *arg)
{
	++*(unsigned *)arg;
}

/* P5: a sync that failed is never asked again; only a new process learns what is on the disk. */
START_TEST(a_disk_that_fails_calls_for_a_restart)
{
	struct mixed mixed = {0};
	unsigned broken = 0;

	fault_vfs_start();
	start();
	core_set_broken(world.core, on_broken, &broken);
	send_mixed(&mixed);
	fault_vfs_fail(FAULT_IO, 1, false);
	turn_end(core_turn(world.core));
	ck_assert(fault_vfs_has_failed());
	check_mixed(&mixed, "audit_unavailable", "storage", "audit_unavailable", "audit_unavailable");
	ck_assert_uint_eq(broken, 1);
	end_mixed(&mixed);
	core_ask_refused("audit_unavailable", &world, UID_APP, "env.fetch", FETCH_APP);
	core_world_reopen(&world);
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_disk_that_fails_between_turns_calls_for_a_restart)
{
	unsigned broken = 0;

	fault_vfs_start();
	start();
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP); /* something to fold */
	core_set_broken(world.core, on_broken, &broken);
	fault_vfs_fail(FAULT_IO, 1, false);
	core_tick(world.core, false);
	ck_assert(fault_vfs_has_failed());
	ck_assert(store_is_broken(world.core->store));
	ck_assert_uint_eq(broken, 1);
	core_world_reopen(&world);
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* ---- the good end ---- */

START_TEST(a_turn_without_work_is_closed_and_commits_nothing)
{
	struct asking asking = {0};

	start();

	unsigned before = core_faults.commits;

	ck_assert(!turn_is_open(core_turn(world.core)));
	turn_end(core_turn(world.core));
	ck_assert_uint_eq(core_faults.commits, before);
	asking_start(&asking, &world, UID_STRANGER);
	asking_send(&asking, "schema", "{}");
	ck_assert(turn_is_open(core_turn(world.core)));
	turn_end(core_turn(world.core));
	ck_assert(!turn_is_open(core_turn(world.core)));
	ck_assert_str_eq(asking_word(&asking), "ok");
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

/* P4, P5 */
START_TEST(no_reply_is_delivered_before_the_commit)
{
	struct mixed mixed = {0};

	start();

	core_faults.holds_commit = true;
	send_mixed(&mixed);
	ck_assert_uint_eq(world.delivered, 0);
	turn_end(core_turn(world.core));
	ck_assert_uint_eq(world.delivered, 0);
	ck_assert(turn_is_open(core_turn(world.core)));
	core_answer_commit();
	ck_assert_uint_eq(world.delivered, 5);
	check_mixed(&mixed, "ok", "ok", "denied", "ok");
	end_mixed(&mixed);
	core_world_end(&world);
}
END_TEST

START_TEST(a_turn_of_several_is_one_commit_and_answers_in_order)
{
	struct mixed mixed = {0};

	start();

	unsigned before = core_faults.commits;

	send_mixed(&mixed);
	ck_assert_uint_eq(core_faults.commits, before);
	turn_end(core_turn(world.core));
	ck_assert_uint_eq(core_faults.commits, before + 1);
	check_mixed(&mixed, "ok", "ok", "denied", "ok");
	ck_assert_uint_eq(mixed.fetch.commits_before, before + 1);
	ck_assert(mixed.fetch.is_secret);
	core_check_chain(&world);
	end_mixed(&mixed);
	core_world_end(&world);
}
END_TEST

/* P10 */
START_TEST(a_revoke_makes_one_checkpoint_after_the_commit)
{
	start();

	unsigned before = core_faults.checkpoints;

	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true}");
	ck_assert_uint_eq(core_faults.checkpoints, before + 1);
	core_put(&world, "app", "A", "b");
	ck_assert_uint_eq(core_faults.checkpoints, before + 1);
	core_world_end(&world);
}
END_TEST

START_TEST(an_undelivered_fetch_is_recorded_with_the_next_turn)
{
	struct principal who = {.uid = UID_APP, .gid = UID_APP, .pid = 4711, .pidfd = -1};
	struct exchange exchange = {.principal = &who, .duty = DUTY_FETCH};

	start();

	uint64_t before = core_records(&world);

	core_note_undelivered(world.core, &exchange);
	ck_assert(turn_is_open(core_turn(world.core)));
	turn_end(core_turn(world.core));
	ck_assert_uint_eq(core_records(&world), before + 1);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "env.fetch");
	ck_assert_str_eq(record.outcome, "undelivered");
	ck_assert_int_eq(record.pid, 4711);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_shutdown_ends_the_turn_that_is_open)
{
	struct principal who = {.uid = UID_APP, .gid = UID_APP, .pid = 4711, .pidfd = -1};
	struct exchange exchange = {.principal = &who, .duty = DUTY_FETCH};

	start();

	uint64_t before = core_records(&world);

	core_note_undelivered(world.core, &exchange);
	core_tick(world.core, true);
	ck_assert_uint_eq(core_records(&world), before + 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P5 */
START_TEST(what_was_answered_is_there_after_a_kill)
{
	start();
	core_world_reopen(&world);
	core_ask_ok(&world, UID_APP, "env.fetch", FETCH_APP);
	ck_assert_ptr_nonnull(strstr(world.last_text, "\"aaaa\""));
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(the_daemon_records_itself_between_turns)
{
	start();

	uint64_t before = core_records(&world);

	core_faults.commit = ERR_STORAGE;
	ck_err(core_record_daemon(world.core, "daemon.start"), ERR_STORAGE);
	core_check_chain(&world);
	core_faults.append = ERR_STORAGE_FULL;
	ck_err(core_record_daemon(world.core, "daemon.start"), ERR_STORAGE_FULL);
	core_check_chain(&world);
	ck_assert_uint_eq(core_records(&world), before);
	ck_ok(core_record_daemon(world.core, "daemon.start"));
	ck_assert_str_eq(core_record(&world, 0).kind, "daemon.start");
	ck_assert_uint_eq(core_record(&world, 0).uid, geteuid());
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("turn", a_refused_request_leaves_its_record_and_no_effect,
	what_a_request_wrote_before_its_refusal_is_gone,
	a_refusal_takes_nothing_from_its_neighbours_in_the_turn,
	a_line_that_cannot_be_handed_over_is_refused_and_recorded, a_fetch_that_cannot_be_recorded_is_refused,
	a_change_that_cannot_be_recorded_is_undone, a_refusal_that_cannot_be_recorded_says_so,
	a_store_that_cannot_begin_serves_only_what_needs_no_store,
	a_failed_commit_takes_every_prepared_reply_back, a_secret_reply_that_is_taken_back_is_wiped,
	a_request_that_loses_the_transaction_loses_it_for_the_turn,
	a_connection_to_be_closed_is_closed_after_a_lost_turn_too,
	a_revoke_without_its_checkpoint_is_not_acknowledged, an_owed_checkpoint_is_made_later,
	a_full_disk_refuses_by_name_and_ends_with_the_space, a_disk_that_fails_calls_for_a_restart,
	a_disk_that_fails_between_turns_calls_for_a_restart,
	a_turn_without_work_is_closed_and_commits_nothing, no_reply_is_delivered_before_the_commit,
	a_turn_of_several_is_one_commit_and_answers_in_order, a_revoke_makes_one_checkpoint_after_the_commit,
	an_undelivered_fetch_is_recorded_with_the_next_turn, a_shutdown_ends_the_turn_that_is_open,
	what_was_answered_is_there_after_a_kill, the_daemon_records_itself_between_turns)
