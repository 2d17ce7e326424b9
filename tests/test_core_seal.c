/*
 * A vault that serves nothing: what the journal is told, and how it serves again without a restart.  Who is told what
 * is in test_dispatch.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_world.h"
#include "log.h"

static struct core_world world;

/* ---- what is logged ---- */

static FILE *log_file;
static int stderr_before;

static void log_begin(void)
{
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	stderr_before = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(log_file), STDERR_FILENO), 0);
	log_set_level(LOG_LEVEL_INFO);
}

/* How many lines hold this, so far. */
static unsigned log_count(const char *part)
{
	char line[4096] = "";
	unsigned count = 0;

	rewind(log_file);
	while (fgets(line, sizeof(line), log_file) != NULL)
		if (strstr(line, part) != NULL)
			count++;
	return count;
}

static void log_end(void)
{
	ck_assert_int_ge(dup2(stderr_before, STDERR_FILENO), 0);
	close(stderr_before);
	fclose(log_file);
}

START_TEST(a_flood_of_refusals_is_a_few_lines_and_a_number)
{
	core_world_start_sealed(&world);
	log_begin();
	for (int i = 0; i < 1000; i++)
		core_ask_refused("sealed", &world, UID_STRANGER, "env.fetch", "{}");
	ck_assert_uint_eq(log_count("refused uid 70006: env.fetch: sealed"), 10);
	ck_assert_uint_eq(log_count("more within"), 0);
	core_clock_ms += 59000;
	core_tick(world.core, false);
	ck_assert_uint_eq(log_count("more within"), 0);
	core_clock_ms += 1000;
	core_tick(world.core, false);
	ck_assert_uint_eq(log_count("refused 990 requests more within a minute"), 1);
	core_ask_refused("sealed", &world, UID_STRANGER, "env.fetch", "{}");
	ck_assert_uint_eq(log_count("refused uid 70006: env.fetch: sealed"), 11);
	core_tick(world.core, true); /* the end: nothing is left untold, and nothing told twice */
	ck_assert_uint_eq(log_count("more within"), 1);
	log_end();
	core_world_end(&world);
}
END_TEST

/* ---- it serves again ---- */

static void unseal_with_a_store_that_was_never_finished(void)
{
	char dir[] = "/tmp/coffer-unfinished-XXXXXX", file[64] = "";
	struct store *store = NULL;
	const char *reason = "";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_ok(store_create(dir, &store, &reason));
	ck_err(core_unseal(world.core, store, NULL), ERR_NOT_FOUND);
	store_close(store);
	snprintf(file, sizeof(file), "%s/coffer.db", dir);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(a_vault_that_still_cannot_be_loaded_stays_sealed)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_world_reopen_sealed(&world);
	unseal_with_a_store_that_was_never_finished();
	ck_assert(core_is_sealed(world.core));
	core_ask_ok(&world, UID_ADMIN, "status", "{}");
	ck_assert_str_eq(core_result_text(&world, "reason"), "the root key is missing");
	core_ask_refused("sealed", &world, UID_OPERATOR, "secret.list", "{}");
	ck_assert_str_eq(core_message(&world), "the vault is sealed: run cofferd recover as root");
	ck_ok(core_world_unseal(&world)); /* nothing is left of the first try */
	core_ask_ok(&world, UID_ADMIN, "integration.show", "{\"name\":\"app\"}");
	core_world_end(&world);
}
END_TEST

START_TEST(an_unsealed_vault_serves_what_was_there)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "v");
	core_world_reopen_sealed(&world);
	ck_assert(core_is_sealed(world.core));
	ck_assert_int_eq(core_processes_fd(world.core), -1);
	core_ask_refused("sealed", &world, UID_APP, "env.fetch", "{\"integration\":\"app\"}");
	ck_err(core_record_daemon(world.core, "daemon.stop"), ERR_SEALED);
	ck_ok(core_world_unseal(&world));
	ck_assert(!core_is_sealed(world.core));
	ck_assert_int_ge(core_processes_fd(world.core), 0);
	ck_ok(core_record_daemon(world.core, "daemon.start"));
	core_ask_ok(&world, UID_ADMIN, "status", "{}");
	ck_assert(cJSON_IsFalse(core_result(&world, "sealed")));
	ck_assert(cJSON_IsNull(core_result(&world, "reason")));
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"integration\":\"app\"}");
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_seal", a_flood_of_refusals_is_a_few_lines_and_a_number,
	a_vault_that_still_cannot_be_loaded_stays_sealed, an_unsealed_vault_serves_what_was_there)
