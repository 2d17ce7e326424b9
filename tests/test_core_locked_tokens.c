/*
 * A token where grants are locked: another admin approves it and destroys the values, and whoever asked for it gets it, once,
 * and nobody else does.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"

enum { UID_SECOND = 71001, DAY = 24 * 3600 * 1000 };

#define TOKEN(name, more) \
	"{\"integration\":\"app\",\"token_name\":\"" name "\",\"description\":\"d\",\"user\":\"70004\"" more \
	"}"
#define DESTROYING ",\"destroy_values\":true"
#define ID ",\"request_id\":\"0123456789abcdef0123456789abcdef\""

static struct core_world world;
static uid_t robin = 70004; /* the number of a user of this name */

enum err __real_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out)
{
	if (strcmp(name, "robin") != 0)
		return __real_users_uid(name, out);
	*out = robin;
	return OK;
}

static uid_t admins[] = {UID_ADMIN, UID_SECOND};

static void start(void)
{
	core_world_start(&world);
	world.roles.admin = (struct role_members){.uids = admins, .uid_count = 2};
	core_ask_ok(&world, UID_ADMIN, "integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"lock_grants\":true,\"environment\":\"sandbox\"}");
	core_put(&world, "app", "A", "one");
	core_put(&world, "app", "A", "two");
	core_stage(&world, "app", "B", "three");
}

static void file(int id, const char *params)
{
	core_ask_refused("approval_required", &world, UID_ADMIN, "token.create", "%s", params);
	ck_assert_int_eq(core_error_data(&world, "request")->valueint, id);
}

#define approve(uid, id) core_ask(&world, uid, "request.approve", "{\"id\":%d}", id)

static int tokens(void)
{
	core_ask_ok(&world, UID_AUDITOR, "token.list", "{}");
	return cJSON_GetArraySize(core_result(&world, "tokens"));
}

static const char *get(const char *params)
{
	core_ask_ok(&world, UID_ADMIN, "token.create", "%s", params);
	return core_result_text(&world, "token");
}

/* ---- refusals ---- */

START_TEST(the_flag_is_for_locked_grants_and_needed_there)
{
	start();
	core_ask_refused("bad_value", &world, UID_ADMIN, "token.create", TOKEN("t", ""));
	ck_assert_ptr_nonnull(strstr(core_message(&world), "destroy_values"));
	core_add_integration(&world, "open");
	core_ask_refused("bad_value", &world, UID_ADMIN, "token.create",
		"{\"integration\":\"open\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
		"\"0\"" DESTROYING "}");
	core_ask_refused("denied", &world, UID_OPERATOR, "token.create", TOKEN("t", DESTROYING));
	ck_assert_int_eq(tokens(), 0);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current");
	core_world_end(&world);
}
END_TEST

/* P1, P2 */
START_TEST(nobody_gets_it_alone_and_whoever_approves_gets_none)
{
	start();
	file(1, TOKEN("t", DESTROYING));
	file(1, TOKEN("t", DESTROYING));
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current");
	ck_assert_str_eq(approve(UID_ADMIN, 1), "denied");
	ck_assert_int_eq(tokens(), 0);
	ck_assert_str_eq(approve(UID_SECOND, 1), "ok");
	ck_assert_ptr_null(strstr(world.last_text, "coffer_"));
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(core_result(&world, "result"), "token")));
	ck_assert_ptr_nonnull(strstr(world.last_text, "asking for it again"));
	ck_assert_int_eq(tokens(), 0);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(an_approval_is_for_whoever_asked_and_for_what_was_asked)
{
	start();
	file(1, TOKEN("t", DESTROYING));
	ck_assert_str_eq(approve(UID_SECOND, 1), "ok");
	file(2, TOKEN("u", DESTROYING));
	file(3, TOKEN("t", DESTROYING ",\"unit\":\"a.service\""));
	core_ask_refused("approval_required", &world, UID_SECOND, "token.create", TOKEN("t", DESTROYING));
	core_ask_refused("bad_value", &world, UID_ADMIN, "token.create", TOKEN("t", ""));
	ck_assert_int_eq(tokens(), 0);
	admins[0] = UID_STRANGER;
	core_ask_refused("denied", &world, UID_ADMIN, "token.create", TOKEN("t", DESTROYING));
	admins[0] = UID_ADMIN;
	ck_assert_ptr_nonnull(get(TOKEN("t", DESTROYING)));
	core_world_end(&world);
}
END_TEST

START_TEST(a_name_that_went_to_another_user_is_not_what_was_approved)
{
	static const char params[] =
		"{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
		"\"robin\"" DESTROYING "}";

	start();
	file(1, params);
	robin = 700040;
	ck_assert_str_eq(approve(UID_SECOND, 1), "conflict");
	robin = 70004;
	ck_assert_str_eq(approve(UID_SECOND, 1), "ok");
	robin = 700040; /* what was shown begins alike */
	core_ask_refused("conflict", &world, UID_ADMIN, "token.create", "%s", params);
	robin = 7000;
	core_ask_refused("conflict", &world, UID_ADMIN, "token.create", "%s", params);
	ck_assert_int_eq(tokens(), 0);
	robin = 70004;
	ck_assert_ptr_nonnull(get(params));
	core_world_end(&world);
}
END_TEST

START_TEST(an_approval_that_nobody_used_ends_in_time)
{
	start();
	file(1, TOKEN("t", DESTROYING));
	core_clock_ms += 7 * (int64_t)DAY - 1;
	ck_assert_str_eq(approve(UID_SECOND, 1), "ok");
	core_clock_ms += 1;
	file(2, TOKEN("t", DESTROYING));
	ck_assert_int_eq(tokens(), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(what_was_put_since_is_not_destroyed_by_an_old_approval)
{
	start();
	file(1, TOKEN("t", DESTROYING));
	core_put(&world, "app", "C", "four");
	ck_assert_str_eq(approve(UID_SECOND, 1), "conflict");
	ck_assert_str_eq(core_states(&world, "app", "C"), "1:current");
	core_world_end(&world);
}
END_TEST

/* P4, P5 */
START_TEST(what_fails_leaves_everything_as_it_was)
{
	start();
	file(1, TOKEN("t", DESTROYING));
	core_faults.append = ERR_STORAGE_FULL;
	ck_assert_str_eq(approve(UID_SECOND, 1), "storage_full");
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(approve(UID_SECOND, 1), "storage_full");
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current");
	ck_assert_str_eq(approve(UID_SECOND, 1), "ok");
	core_faults.append = ERR_STORAGE_FULL;
	ck_assert_str_eq(core_ask(&world, UID_ADMIN, "token.create", TOKEN("t", DESTROYING)), "storage_full");
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(core_ask(&world, UID_ADMIN, "token.create", TOKEN("t", DESTROYING)), "storage_full");
	ck_assert_int_eq(tokens(), 0);
	core_world_reopen(&world);
	ck_assert_ptr_nonnull(get(TOKEN("t", DESTROYING)));
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* ---- done ---- */

/* P10 */
START_TEST(the_approval_destroys_and_the_same_request_again_gets_the_token)
{
	unsigned checkpoints = 0;
	struct record record = {0};

	start();
	file(1, TOKEN("t", DESTROYING));
	record = core_record(&world, 0);
	ck_assert_str_eq(record.subject.text, "name=t uid=70004 destroyed=3");
	checkpoints = core_faults.checkpoints;
	ck_assert_str_eq(approve(UID_SECOND, 1), "ok");
	ck_assert_uint_eq(core_faults.checkpoints, checkpoints + 1);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:revoked 2:revoked");
	ck_assert_str_eq(core_states(&world, "app", "B"), "1:revoked");
	core_put(&world, "app", "A", "new");
	ck_assert_ptr_nonnull(get(TOKEN("t", DESTROYING)));
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:revoked 2:revoked 3:current");
	record = core_record(&world, 0);
	ck_assert_str_eq(record.kind, "token.create");
	ck_assert_str_eq(record.subject.text, "name=t uid=70004 approved_by=71001 approval=1");
	ck_assert_uint_eq(record.object, 1);
	ck_assert_int_eq(tokens(), 1);

	/* Once. */
	core_ask_refused("conflict", &world, UID_ADMIN, "token.create", TOKEN("t", DESTROYING));
	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":1}");
	file(2, TOKEN("t", DESTROYING));
	ck_assert_int_eq(tokens(), 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P1 */
START_TEST(a_request_id_follows_the_token_and_keeps_none)
{
	start();
	file(1, TOKEN("t", DESTROYING ID));
	ck_assert_str_eq(approve(UID_SECOND, 1), "ok");
	ck_assert_ptr_nonnull(get(TOKEN("t", DESTROYING ID)));
	ck_assert_ptr_null(get(TOKEN("t", DESTROYING ID)));
	ck_assert_str_eq(core_record(&world, 0).detail, "repeated request_id, first result");
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_locked_tokens", a_name_that_went_to_another_user_is_not_what_was_approved,
	the_flag_is_for_locked_grants_and_needed_there, nobody_gets_it_alone_and_whoever_approves_gets_none,
	an_approval_is_for_whoever_asked_and_for_what_was_asked, an_approval_that_nobody_used_ends_in_time,
	what_was_put_since_is_not_destroyed_by_an_old_approval, what_fails_leaves_everything_as_it_was,
	the_approval_destroys_and_the_same_request_again_gets_the_token,
	a_request_id_follows_the_token_and_keeps_none)
