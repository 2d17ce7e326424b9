/*
 * cofferd init: makes the root key, the store and its first rows, durably, or takes back all that it made.
 * A recovery key that is made here is said once and kept nowhere (P1); with recipients none is made.
 */
#include "setup.h"

#include <stdio.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "interrupts.h"
#include "locked.h"
#include "site.h"
#include "rootkey.h"

#define LOCKED_AUTO __attribute__((cleanup(locked_unmap))) struct locked

static enum err put_keyring(struct store *store, const struct keys *keys, const struct root_key *root)
{
	unsigned char wrapped[WRAPPED_KEY_BYTES] = {0};
	enum err err = OK;

	for (enum key_purpose purpose = 0; err == OK && purpose < KEY_PURPOSE_COUNT; purpose++) {
		err = keys_wrap(keys, purpose, root, wrapped);
		if (err == OK)
			err = store_key_put(store, key_purpose_word(purpose), 1,
				(struct store_blob){wrapped, sizeof(wrapped)});
	}
	return err;
}

static enum err put_first_record(struct store *store)
{
	struct chain chain = {0};
	struct record record = {.time_ms = clock_wall_ms(),
		.repeats = 1,
		.uid = geteuid(),
		.gid = getegid(),
		.pid = getpid(),
		.kind = "vault.init",
		.outcome = "ok"};

	chain_append(&chain, &record);
	return store_audit_append(store, &record);
}

static void on_commit(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

static enum err put_boxes(
	struct store *store, const struct root_key *root, const struct setup_recipients *recipients)
{
	unsigned char box[RECOVERY_BOX_BYTES] = {0};
	enum err err = OK;

	for (size_t i = 0; err == OK && i < recipients->count; i++) {
		err = recovery_seal(root, &recipients->key[i], box);
		if (err == OK)
			err = store_recovery_put(
				store, recipients->key[i].fingerprint, (struct store_blob){box, sizeof(box)});
	}
	return err;
}

/* Everything a vault needs, in one transaction. */
static enum err fill_store(
	struct store *store, const struct root_key *root, const struct setup_recipients *recipients)
{
	struct store_state state = {.created_ms = clock_wall_ms()};
	struct keys *keys = NULL;

	random_bytes(state.vault_id, sizeof(state.vault_id));
	root_key_id(root, state.rkid);

	enum err err = keys_generate(state.vault_id, &keys);

	if (err == OK)
		err = store_begin(store);
	if (err == OK)
		err = store_state_init(store, &state);
	if (err == OK)
		err = put_keyring(store, keys, root);
	if (err == OK)
		err = put_boxes(store, root, recipients);
	if (err == OK)
		err = put_first_record(store);
	keys_free(keys);
	if (err == OK) {
		enum err committed = ERR_STORAGE;

		store_commit(store, on_commit, &committed);
		err = committed;
	}
	return err;
}

/* False when not all of it could be said: nobody would ever see this recovery key again. */
static bool print_made(
	const struct site *site, const struct setup_recipients *recipients, const char *secret_text)
{
	printf("Made the vault in %s%s\n", site->config->state_dir,
		site->is_hosts ? ", for the user " SITE_USER : "");
	site_print(site);
	if (secret_text == NULL) {
		for (size_t i = 0; i < recipients->count; i++)
			printf("Sealed the root key for the recovery key with the fingerprint %s\n",
				recipients->key[i].fingerprint);
		return fflush(stdout) == 0 && !ferror(stdout);
	}
	printf("\nThe recovery key, shown this once.  Write it down and lock it away from this host;\n"
	       "with it, cofferd recover makes the root key anew:\n\n  ");
	return fflush(stdout) == 0 && !ferror(stdout) && setup_write_line(secret_text);
}

/* The key exists before the store, so that no store is ever without one. */
static enum err make_root_key(struct site *site, struct root_key **out, const char **reason_out)
{
	if (site_key_path(site) == NULL)
		return rootkey_read(site->config, out, reason_out); /* it was handed over */

	enum err err = root_key_generate(out);

	return err == OK ? site_write_key(site, *out, reason_out) : err;
}

static void remove_store(const struct config *config)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal", "coffer.db-journal"};
	char path[CONFIG_PATH_BYTES + 32] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", config->state_dir, names[i]);
		unlink(path);
	}
}

/* As the vault's owner, in its directory; says all that was made while it still can be taken back. */
static enum err make_store(const struct site *site, const struct root_key *root,
	const struct setup_recipients *recipients, const char *secret_text, const char **reason_out)
{
	const struct config *config = site->config;
	struct store *store = NULL;
	const char *reason = NULL;
	enum err err = store_create(config->state_dir, &store, &reason);

	if (err != OK) {
		*reason_out = setup_about_store(config, err, reason);
		return err;
	}
	err = fill_store(store, root, recipients);
	store_close(store);
	*reason_out = setup_about_store(config, err, NULL);
	if (err == OK && interrupts_wait()) {
		err = ERR_INTERNAL;
		*reason_out = "interrupted: what was made was taken back";
	}
	if (err == OK && !print_made(site, recipients, secret_text)) {
		err = ERR_STORAGE;
		*reason_out = "what was made could not be told, so it was taken back";
	}
	if (err != OK)
		remove_store(config);
	return err;
}

static int try_to_make(struct site *site, const struct setup_recipients *recipients, const char *secret_text)
{
	__attribute__((cleanup(setup_free_root_key))) struct root_key *root = NULL;
	const char *reason = NULL;
	enum err err = site_make_directories(site, &reason);

	if (err == OK)
		err = make_root_key(site, &root, &reason);
	if (err == OK)
		err = site_enter(site, &reason);
	if (err == OK) {
		err = make_store(site, root, recipients, secret_text, &reason);
		site_leave(site);
	}
	if (err == OK)
		return 0;
	site_remove(site); /* a vault that was there before never gets here */
	return setup_fail(err, reason);
}

/*
 * secret_text: of the one recipient that was made here; NULL: all were given.  An interrupt ends us when all is said or
 * nothing is left: never with a vault whose recovery key nobody has seen.
 */
static int make(struct site *site, const struct setup_recipients *recipients, const char *secret_text)
{
	sigset_t before;

	interrupts_hold(&before);

	int exit_code = try_to_make(site, recipients, secret_text);

	interrupts_release(&before);
	return exit_code;
}

static int make_with_key(struct site *site)
{
	struct setup_recipients recipients = {.count = 1};
	LOCKED_AUTO text = {0};
	enum err err = locked_map(RECOVERY_TEXT_BYTES, site->config->allow_swap, &text);

	if (err == OK)
		err = recovery_generate(&recipients.key[0], (char *)text.bytes);
	return err == OK ? make(site, &recipients, (const char *)text.bytes) : setup_fail(err, NULL);
}

int setup_init_for(const struct config *config, const struct setup_recipients *recipients, bool *is_new_out)
{
	struct site site = {0};
	const char *reason = NULL;
	bool has_room = false;
	enum err err = site_find(&site, config, &reason);

	*is_new_out = false;
	if (err != OK)
		return setup_fail(err, reason);

	int exit_code = setup_stand(&site, recipients, &has_room);

	if (!has_room)
		return exit_code;
	exit_code = recipients->count > 0 ? make(&site, recipients, NULL) : make_with_key(&site);
	*is_new_out = exit_code == 0;
	return exit_code;
}
