/*
 * cofferd init: makes the root key, the store and its first rows, durably, or takes back all that it made.
 * A recovery key that is made here is said once and kept nowhere (P1); with recipients none is made.
 */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "locked.h"
#include "log.h"
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
	const struct config *config, const struct setup_recipients *recipients, const char *secret_text)
{
	printf("Made the vault in %s\n", config->state_dir);
	if (config->root_key_source == ROOT_KEY_FILE)
		printf("Made its root key %s (keep it off the backups of the vault)\n",
			config->root_key_path);
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

/* The key exists before the store, so that no store is ever without one; a failed init takes its own key back. */
static enum err make_root_key(
	const struct config *config, struct root_key **out, bool *is_new_out, const char **reason_out)
{
	if (config->root_key_source != ROOT_KEY_FILE)
		return rootkey_read(config, out, reason_out);

	enum err err = root_key_generate(out);

	if (err == OK)
		err = rootkey_write(config, *out, reason_out);
	*is_new_out = err == OK; /* else the file is another's, or gone again */
	return err;
}

/* What this run made, to be taken back when it fails; a vault that was there before never gets here. */
struct made {
	bool is_directory;
	bool is_key;
	bool is_store;
};

static void remove_store(const struct config *config)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal", "coffer.db-journal"};
	char path[CONFIG_PATH_BYTES + 32] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", config->state_dir, names[i]);
		unlink(path);
	}
}

static void remove_made(const struct config *config, const struct made *made)
{
	if (made->is_store)
		remove_store(config);
	if (made->is_key)
		unlink(config->root_key_path);
	if (made->is_directory)
		rmdir(config->state_dir);
}

/* Makes the directory durably (P5); one that exists is fine. */
static enum err make_state_dir(const struct config *config, bool *is_new_out, const char **reason_out)
{
	*is_new_out = mkdir(config->state_dir, 0700) == 0;
	if (!*is_new_out && errno == EEXIST)
		return OK;

	enum err err = *is_new_out ? rootkey_sync_directory_of(config->state_dir) : ERR_CONFIG;

	if (err != OK)
		*reason_out = setup_about_store(
			config, err, "the directory cannot be made: does its parent directory exist?");
	return err;
}

/* What is in the way is found before anything is made. */
static enum err check_room(const struct config *config, const char **reason_out)
{
	if (setup_has_store(config)) {
		*reason_out = setup_about_store(
			config, ERR_CONFLICT, "there is a vault already; it is left as it is");
		return ERR_CONFLICT;
	}
	return config->root_key_source == ROOT_KEY_FILE ? rootkey_check_absent(config, reason_out) : OK;
}

static enum err make_store(const struct config *config, const struct root_key *root,
	const struct setup_recipients *recipients, struct made *made, const char **reason_out)
{
	struct store *store = NULL;
	enum err err = store_create(config->state_dir, &store, reason_out);

	if (err == OK) {
		made->is_store = true;
		err = fill_store(store, root, recipients);
		store_close(store);
	}
	if (err != OK)
		*reason_out = setup_about_store(config, err, *reason_out);
	return err;
}

/* secret_text: of the one recipient that was made here; NULL: all were given. */
static int make(
	const struct config *config, const struct setup_recipients *recipients, const char *secret_text)
{
	__attribute__((cleanup(setup_free_root_key))) struct root_key *root = NULL;
	struct made made = {0};
	const char *reason = NULL;
	enum err err = make_state_dir(config, &made.is_directory, &reason);

	if (err == OK)
		err = make_root_key(config, &root, &made.is_key, &reason);
	if (err == OK)
		reason = NULL;
	if (err == OK)
		err = make_store(config, root, recipients, &made, &reason);
	if (err == OK && !print_made(config, recipients, secret_text)) {
		err = ERR_STORAGE;
		reason = "what was made could not be told, so it was taken back";
	}
	if (err != OK) {
		remove_made(config, &made);
		return setup_fail(err, reason);
	}
	return 0;
}

int setup_init(const struct config *config)
{
	struct setup_recipients recipients = {.count = 1};
	LOCKED_AUTO text = {0};
	const char *reason = NULL;
	enum err err = check_room(config, &reason);

	if (err == OK)
		err = locked_map(RECOVERY_TEXT_BYTES, config->allow_swap, &text);
	if (err == OK)
		err = recovery_generate(&recipients.key[0], (char *)text.bytes);
	return err == OK ? make(config, &recipients, (const char *)text.bytes) : setup_fail(err, reason);
}

int setup_init_for(const struct config *config, const struct setup_recipients *recipients)
{
	const char *reason = NULL;
	enum err err = check_room(config, &reason);

	return err == OK ? make(config, recipients, NULL) : setup_fail(err, reason);
}
