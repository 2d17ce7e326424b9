/*
 * P10: of a revoked or removed version not one piece of ciphertext is left in the files, whatever the pages
 * went through before; and what was not revoked is still there.
 */
#include <sys/wait.h>

#include "random.h"
#include "store_world.h"

enum { INTEGRATIONS = 40, VERSIONS_MAX = 2000, TAG_BYTES = 9, OPERATIONS = 2500, TURN_OPERATIONS = 7 };

enum fate { NEVER, LIVE, DEAD };

static enum fate fates[VERSIONS_MAX];
static unsigned homes[VERSIONS_MAX];
static unsigned count;

/* A ciphertext is its number, over and over: any piece of TAG_BYTES tells whose it was. */
static void make_sealed(unsigned number, unsigned char *out, size_t len)
{
	char tag[TAG_BYTES + 1] = "";

	snprintf(tag, sizeof(tag), "<%07u>", number);
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)tag[i % TAG_BYTES];
}

static void key_of(unsigned number, char out[KEY_BYTES_MAX + 1])
{
	snprintf(out, KEY_BYTES_MAX + 1, "KEY%u", number % 13);
}

/* ---- random changes ---- */

static void insert(struct store *store, struct random *random, size_t len)
{
	static unsigned char sealed[20000];
	char key[KEY_BYTES_MAX + 1] = "";
	unsigned number = ++count;

	homes[number] = 10 + random_below(random, INTEGRATIONS);
	fates[number] = LIVE;
	key_of(number, key);
	make_sealed(number, sealed, len);
	ck_ok(world_put_secret(store, homes[number], key, number));
	ck_ok(world_add_version(store, homes[number], key, number, VERSION_CURRENT, sealed, len));
}

static void shred(struct store *store, unsigned number)
{
	unsigned char id[STORE_ID_BYTES] = {0};
	char key[KEY_BYTES_MAX + 1] = "";

	key_of(number, key);
	world_id(homes[number], id);
	ck_ok(store_version_shred(store, id, key, number, 1));
	fates[number] = DEAD;
}

static void remove_secret(struct store *store, unsigned number)
{
	unsigned char id[STORE_ID_BYTES] = {0};
	char key[KEY_BYTES_MAX + 1] = "", other[KEY_BYTES_MAX + 1] = "";

	key_of(number, key);
	world_id(homes[number], id);
	ck_ok(store_secret_remove(store, id, key));
	for (unsigned i = 1; i <= count; i++) {
		key_of(i, other);
		if (homes[i] == homes[number] && strcmp(key, other) == 0)
			fates[i] = DEAD;
	}
}

static void operate(struct store *store, struct random *random, size_t len)
{
	uint32_t choice = random_below(random, 100);
	unsigned number = count == 0 ? 0 : 1 + random_below(random, count);

	if (choice < 60 && count < VERSIONS_MAX - 1)
		insert(store, random, len);
	else if (number != 0 && fates[number] == LIVE && choice < 97)
		shred(store, number);
	else if (number != 0 && fates[number] == LIVE)
		remove_secret(store, number);
}

static void live_randomly(struct store *store, uint64_t seed, size_t len)
{
	struct random random = {.state = seed + 1};
	char name[32] = "";

	memset(fates, 0, sizeof(fates));
	count = 0;
	ck_ok(store_begin(store));
	for (unsigned i = 10; i < 10 + INTEGRATIONS; i++) {
		snprintf(name, sizeof(name), "integration-%u", i);
		ck_ok(world_add_integration(store, i, name));
	}
	ck_ok(world_commit(store));
	for (unsigned done = 0; done < OPERATIONS; done += TURN_OPERATIONS) {
		ck_ok(store_begin(store));
		for (unsigned i = 0; i < TURN_OPERATIONS; i++)
			operate(store, &random, len);
		ck_ok(world_commit(store));
		if (done % 500 == 0)
			ck_ok(store_checkpoint(store));
	}
}

/* ---- what is left ---- */

/* How many pieces of dead versions a file holds. */
static size_t pieces_of_the_dead(const struct world *world, const char *name)
{
	size_t len = 0;
	size_t pieces = 0;
	unsigned char *bytes = world_read(world, name, &len);

	for (size_t i = 0; i + TAG_BYTES <= len; i++) {
		unsigned number = 0;
		size_t digits = 0;

		if (bytes[i] != '<' || bytes[i + TAG_BYTES - 1] != '>')
			continue;
		while (digits < 7 && bytes[i + 1 + digits] >= '0' && bytes[i + 1 + digits] <= '9')
			number = number * 10 + bytes[i + 1 + digits++] - '0';
		if (digits == 7 && number < VERSIONS_MAX && fates[number] == DEAD)
			pieces++;
	}
	free(bytes);
	return pieces;
}

static enum err on_version(void *arg, const struct store_version *version)
{
	static unsigned char wanted[20000];
	size_t *seen = arg;

	ck_assert_int_eq((int)(version->state == VERSION_REVOKED), (int)(fates[version->version] == DEAD));
	if (version->state == VERSION_REVOKED)
		return OK;
	make_sealed((unsigned)version->version, wanted, version->sealed.len);
	ck_assert_mem_eq(version->sealed.bytes, wanted, version->sealed.len);
	++*seen;
	return OK;
}

static void check_the_living(struct store *store)
{
	size_t seen = 0;
	size_t wanted = 0;

	for (unsigned i = 1; i <= count; i++)
		wanted += fates[i] == LIVE;
	ck_ok(store_version_each(store, on_version, &seen));
	ck_assert_uint_eq(seen, wanted);
	ck_assert_uint_gt(seen, 100);
}

static const size_t lens[] = {137, 329, 1097, 4169, 16457};

START_TEST(shredded_versions_leave_nothing_in_the_files)
{
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (uint64_t seed = 0; seed < 3; seed++) {
			struct world world;

			world_start(&world);
			live_randomly(world.store, seed, lens[i]);
			ck_ok(store_checkpoint(world.store));
			ck_assert_uint_eq(pieces_of_the_dead(&world, "coffer.db"), 0);
			ck_assert_uint_eq(pieces_of_the_dead(&world, "coffer.db-wal"), 0);
			check_the_living(world.store);
			ck_ok(store_check(world.store, &world.reason));
			world_close(&world);
			world_open(&world);
			check_the_living(world.store);
			world_end(&world);
		}
	}
}
END_TEST

START_TEST(a_kill_before_the_checkpoint_leaves_nothing_after_the_next_start)
{
	struct world world;
	int status = 0;

	world_start(&world);
	world_close(&world);

	pid_t child = fork();

	if (child == 0) {
		struct random random = {.state = 9};

		world_open(&world);
		ck_ok(store_begin(world.store));
		for (unsigned i = 10; i < 10 + INTEGRATIONS; i++)
			ck_ok(world_add_integration(world.store, i, (char[]){(char)i, 0}));
		insert(world.store, &random, 329);
		ck_ok(world_commit(world.store));
		ck_ok(store_begin(world.store));
		shred(world.store, 1);
		ck_ok(world_commit(world.store));
		_exit(0); /* nothing is closed */
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	fates[1] = DEAD;
	/* The promise is about something: it is there before the start. */
	ck_assert_uint_gt(pieces_of_the_dead(&world, "coffer.db-wal"), 0);
	world_open(&world);
	ck_assert_uint_eq(pieces_of_the_dead(&world, "coffer.db"), 0);
	ck_assert_uint_eq(pieces_of_the_dead(&world, "coffer.db-wal"), 0);
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_shred", shredded_versions_leave_nothing_in_the_files,
	a_kill_before_the_checkpoint_leaves_nothing_after_the_next_start)
