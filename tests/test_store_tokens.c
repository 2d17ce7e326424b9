/* Rows of access tokens: numbers are never given twice, a revoked one keeps no verifier, damage is never believed. */
#include "store_world.h"

static unsigned char id_1[STORE_ID_BYTES] = {1};
static unsigned char id_2[STORE_ID_BYTES] = {2};

static struct world world;

struct seen {
	size_t count;
	char text[1024];
};

static enum err on_token(void *arg, const struct store_token *token)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	seen->count++;
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s/%d=%s:%d%s%s%s ", token->integration,
		(int)token->id, token->name, token->verifier[0], token->unit != NULL ? "@" : "",
		token->last_used_ms > 0 ? "u" : "", token->revoked_ms > 0 ? "r" : "");
	return OK;
}

static enum err insert(uint64_t id, const unsigned char *integration_id, const char *name)
{
	struct store_token token = {.id = id,
		.name = name,
		.description = "nightly",
		.uid = 4294967294u,
		.user = "etl",
		.unit = id == 2 ? "etl.service" : NULL,
		.epoch = 3,
		.created_ms = 10,
		.created_by = 7};

	memcpy(token.integration_id, integration_id, STORE_ID_BYTES);
	token.verifier[0] = (unsigned char)(id + 40);
	return store_token_insert(world.store, &token);
}

static const char *all(void)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_token_each(world.store, on_token, &seen));
	return seen.text;
}

static void start(void)
{
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "crm"));
	ck_ok(world_add_integration(world.store, 2, "billing"));
	ck_ok(insert(1, id_1, "a"));
	ck_ok(insert(2, id_1, "b"));
	ck_ok(insert(3, id_2, "a"));
	ck_ok(world_commit(world.store));
}

START_TEST(what_cannot_be_a_token_is_refused)
{
	start();
	ck_ok(store_begin(world.store));
	ck_err(insert(3, id_1, "c"), ERR_INTERNAL);
	ck_err(insert(5, id_1, "c"), ERR_INTERNAL);
	ck_err(insert(4, id_1, "a"), ERR_CONFLICT);
	ck_assert_uint_eq(store_token_next(world.store), 4);
	ck_err(store_token_used(world.store, 9, 1), ERR_NOT_FOUND);
	ck_err(store_token_used(world.store, UINT64_MAX, 1), ERR_NOT_FOUND);
	ck_err(store_token_revoke(world.store, id_2, 1, 5, 7), ERR_NOT_FOUND); /* another integration's */
	ck_err(store_token_revoke(world.store, id_2, UINT64_MAX, 5, 7), ERR_NOT_FOUND);
	ck_err(store_token_get(world.store, 9, on_token, NULL), ERR_NOT_FOUND);
	ck_err(store_token_get(world.store, UINT64_MAX, on_token, NULL), ERR_NOT_FOUND);
	store_abort(world.store);
	ck_err(insert(4, id_1, "c"), ERR_STORAGE); /* without a turn */
	ck_err(store_token_revoke_all(world.store, id_1, 5, 7), ERR_STORAGE);
	ck_assert_str_eq(all(), "billing/3=a:43 crm/1=a:41 crm/2=b:42@ ");
	world_end(&world);
}
END_TEST

START_TEST(a_token_is_revoked_once_and_its_verifier_is_gone)
{
	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_token_used(world.store, 1, 100));
	ck_ok(store_token_revoke(world.store, id_1, 1, 200, 7));
	ck_err(store_token_revoke(world.store, id_1, 1, 300, 8), ERR_NOT_FOUND);
	ck_ok(insert(4, id_1, "a")); /* its name is free again */
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(all(), "billing/3=a:43 crm/1=a:0ur crm/2=b:42@ crm/4=a:44 ");
	world_close(&world);
	world_open(&world);
	ck_assert_str_eq(all(), "billing/3=a:43 crm/1=a:0ur crm/2=b:42@ crm/4=a:44 ");
	ck_assert_uint_eq(store_token_next(world.store), 5);
	world_end(&world);
}
END_TEST

START_TEST(all_tokens_of_one_integration_go_together)
{
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_token_revoke_all(world.store, id_1, 200, 7));
	ck_ok(store_token_revoke_all(world.store, id_1, 300, 7)); /* none is left: fine */
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(all(), "billing/3=a:43 crm/1=a:0r crm/2=b:0@r ");
	ck_ok(store_token_of(world.store, id_2, on_token, &seen));
	ck_assert_str_eq(seen.text, "billing/3=a:43 ");
	world_end(&world);
}
END_TEST

START_TEST(a_token_that_is_taken_back_leaves_its_number)
{
	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(insert(4, id_1, "c"));
	ck_ok(store_rollback_request(world.store));
	ck_assert_uint_eq(store_token_next(world.store), 4);
	ck_ok(insert(4, id_1, "d"));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(all(), "billing/3=a:43 crm/1=a:41 crm/2=b:42@ crm/4=d:44 ");
	world_end(&world);
}
END_TEST

/* P7 as far as rows go: a wrong type, a NUL, or a revocation that was half undone. */
START_TEST(a_damaged_token_is_never_shown)
{
	static const char *const spoils[] = {
		"UPDATE token SET name = 'a' || char(0) WHERE id = 2",
		"UPDATE token SET description = char(0) WHERE id = 2",
		"UPDATE token SET \"user\" = char(0) WHERE id = 2",
		"UPDATE token SET unit = char(0) WHERE id = 2",
		"UPDATE token SET verifier = zeroblob(32) WHERE id = 2",
		"UPDATE token SET revoked_ms = 5 WHERE id = 2",
		"UPDATE token SET expires_ms = -1 WHERE id = 2",
		"UPDATE token SET last_used_ms = -1 WHERE id = 2",
	};

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct seen seen = {0};
		const char *reason = "";

		start();
		world_spoil(&world, spoils[i]);
		ck_err(store_token_get(world.store, 2, on_token, &seen), ERR_STORAGE);
		ck_assert_uint_eq(seen.count, 0);
		ck_assert_int_ne(store_token_of(world.store, id_1, on_token, &seen), OK);
		ck_assert_int_eq((int)store_check(world.store, &reason), ERR_STORAGE);
		ck_assert_str_eq(reason, "a token's row is damaged");
		world_end(&world);
	}
}
END_TEST

START_TEST(check_finds_a_token_that_was_planted)
{
	const char *reason = "";

	start();
	ck_ok(store_check(world.store, &reason));
	world_spoil(&world, "UPDATE token SET id = 9 WHERE id = 3");
	ck_err(store_check(world.store, &reason), ERR_STORAGE);
	ck_assert_str_eq(reason, "a token's row is damaged");
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_tokens", what_cannot_be_a_token_is_refused, a_token_is_revoked_once_and_its_verifier_is_gone,
	all_tokens_of_one_integration_go_together, a_token_that_is_taken_back_leaves_its_number,
	a_damaged_token_is_never_shown, check_finds_a_token_that_was_planted)
