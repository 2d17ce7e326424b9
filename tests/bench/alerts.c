/*
 * CPU time of alert.list and status in a full vault: the limit of integrations with ten versions each, half of them draining, a grant,
 * 64 runs over a year, and refusals on each of the last 31 days.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core_world.h"

enum { DAY_MS = 86400000, DAYS = 365, RUNS = 64, ROUNDS = 20, KEYS = 5, INTEGRATIONS = 2000, VERSIONS = 10 };

static struct core_world world;

/* Of this process: what else runs on the machine does not count. */
static double cpu_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void add_versions(const unsigned char id[STORE_ID_BYTES], int count)
{
	struct store *store = world.core->store;

	for (int i = 0; i < count; i++) {
		char key[16] = "";
		struct store_secret secret = {.key = key, .newest = 100, .created_ms = core_clock_ms};
		struct store_version version = {.key = key,
			.version = (uint64_t)(1 + i / KEYS),
			.dek_generation = 1,
			.value_bytes = 64,
			.created_ms = core_clock_ms,
			.changed_ms = core_clock_ms,
			.created_by = (uint32_t)(1000 + i),
			.sealed = {(const unsigned char *)"a sealed value of some forty bytes or more", 42}};

		snprintf(key, sizeof(key), "KEY_%d", i % KEYS);
		version.state =
			i / KEYS + 1 == (count + KEYS - 1) / KEYS ? VERSION_CURRENT : VERSION_DRAINING;
		memcpy(secret.integration_id, id, STORE_ID_BYTES);
		memcpy(version.integration_id, id, STORE_ID_BYTES);
		ck_ok(store_secret_put(store, &secret));
		ck_ok(store_version_insert(store, &version));
	}
}

static void add_runs(const unsigned char id[STORE_ID_BYTES], unsigned integration)
{
	static uint64_t number;
	struct store_run_version taken = {"KEY_0", 2};

	for (int i = 0; i < RUNS; i++) {
		struct store_run run = {.time_ms = core_clock_ms - (RUNS - i) * (int64_t)DAY_MS * DAYS / RUNS,
			.uid = 1000 + integration % 50,
			.unit = "etl.service",
			.boot = "",
			.exe = "/usr/bin/etl",
			.invocation = "",
			.cgroup = "",
			.state = RUN_ENDED,
			.end_ms = core_clock_ms - 1,
			.versions = &taken,
			.version_count = 1};

		snprintf(run.id, sizeof(run.id), "01JD%022llu", (unsigned long long)++number);
		memcpy(run.integration_id, id, STORE_ID_BYTES);
		ck_ok(store_run_insert(world.core->store, &run));
		run.end_status = i % 7 == 0 ? 256 : 0;
		ck_ok(store_run_set(world.core->store, &run));
	}
}

static void fill(int integrations, int versions)
{
	struct store *store = world.core->store;
	enum err committed = ERR_TIMEOUT;
	size_t folded = 1;

	ck_ok(store_begin(store));
	for (int i = 0; i < integrations; i++) {
		char name[64] = "";
		struct store_integration integration = {.name = name,
			.state = "active",
			.dek_generation = 1,
			.dek = {(const unsigned char *)"wrapped", 7},
			.created_ms = core_clock_ms,
			.changed_ms = core_clock_ms,
			.has_owner_uid = true,
			.owner_uid = (uint32_t)(1000 + i % 50)};
		struct store_grant grant = {.has_uid = true, .uid = (uint32_t)(1000 + i % 50), .user = "etl"};

		snprintf(name, sizeof(name), "team-%d/integration-%d", i % 20, i);
		memcpy(integration.id, &i, sizeof(i));
		integration.text[FIELD_TITLE - INTEGRATION_TEXT_FIRST] = "a title of some length";
		integration.text[FIELD_ROTATE_AFTER - INTEGRATION_TEXT_FIRST] = "365d";
		integration.text[FIELD_REVIEW_AFTER - INTEGRATION_TEXT_FIRST] = "90d";
		integration.text[FIELD_EXPECTED_EVERY - INTEGRATION_TEXT_FIRST] = "12h";
		ck_ok(store_integration_insert(store, &integration));
		memcpy(grant.integration_id, integration.id, STORE_ID_BYTES);
		ck_ok(store_grant_insert(store, &grant));
		add_versions(integration.id, versions);
		add_runs(integration.id, (unsigned)i);
		for (int day = 0; day < 31; day++)
			ck_ok(store_refused_bump(
				store, name, "denied", 7, core_clock_ms - day * (int64_t)DAY_MS));
	}
	while (folded > 0)
		ck_ok(store_use_fold(store, 100000, &folded));
	store_commit(store, core_on_own_commit, &committed);
	ck_ok(committed);
}

static void measure(const char *method)
{
	double worst = 0, sum = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double before = cpu_ms(), took = 0;

		core_ask_ok(&world, UID_AUDITOR, method, "{}");
		took = cpu_ms() - before;
		sum += took;
		worst = took > worst ? took : worst;
	}
	printf("%s: %.1f ms on the average of %d, %.1f at worst\n", method, sum / ROUNDS, ROUNDS, worst);
}

START_TEST(alerts_of_a_full_vault)
{
	core_world_start(&world);
	world.skips_arena = true;
	fill(INTEGRATIONS, VERSIONS);
	printf("%d integrations, %d versions, %d runs\n", INTEGRATIONS, INTEGRATIONS * VERSIONS,
		INTEGRATIONS * RUNS);
	measure("alert.list");
	measure("status");
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("bench_alerts", alerts_of_a_full_vault)
