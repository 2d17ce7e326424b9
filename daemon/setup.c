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

static void free_root_key(struct root_key **key)
{
	root_key_free(*key);
}

static int fail(enum err err, const char *reason)
{
	log_error("%s", reason != NULL ? reason : err_text(err));
	return err == ERR_CONFLICT ? 78 : err_exit_code(err);
}

/* ---- opening ---- */

struct unwrapping {
	struct keys *keys;
	const struct root_key *root;
};

static enum err on_wrapped_key(void *arg, const char *purpose, uint64_t epoch, struct store_blob wrapped)
{
	struct unwrapping *unwrapping = arg;

	return keys_unwrap(unwrapping->keys, purpose, epoch, unwrapping->root, wrapped.bytes, wrapped.len);
}

/* "Wrong key" and "damaged" are told apart by the root key's id, which is stored in clear. */
static enum err unwrap_keyring(
	struct store *store, const struct root_key *root, struct keys **out, const char **reason_out)
{
	struct store_state state = {0};
	struct unwrapping unwrapping = {.root = root};
	unsigned char rkid[RKID_BYTES] = {0};
	enum err err = store_state_get(store, &state);

	*reason_out = "the store has no state row: it was never finished by cofferd init";
	if (err != OK)
		return err == ERR_NOT_FOUND ? ERR_CONFIG : err;
	root_key_id(root, rkid);
	*reason_out = "wrong root key: this store belongs to another one";
	if (!bytes_equal(rkid, state.rkid, sizeof(rkid)))
		return ERR_CONFIG;
	*reason_out = "the keyring is damaged; restore a backup";
	err = keys_new(state.vault_id, &unwrapping.keys);
	if (err == OK)
		err = store_key_each(store, on_wrapped_key, &unwrapping);
	if (err == OK && !keys_are_complete(unwrapping.keys))
		err = ERR_STORAGE;
	if (err != OK) {
		keys_free(unwrapping.keys);
		return err == ERR_DENIED ? ERR_STORAGE : err;
	}
	*out = unwrapping.keys;
	return OK;
}

enum err setup_open(const struct config *config, struct store **store_out, struct keys **keys_out,
	const char **reason_out)
{
	__attribute__((cleanup(free_root_key))) struct root_key *root = NULL;
	struct store *store = NULL;
	enum err err = rootkey_read(config, &root, reason_out);

	if (err != OK)
		return err;
	err = store_open(config->state_dir, &store, reason_out);
	if (err == ERR_NOT_FOUND) {
		*reason_out = "there is no vault in state_dir; make one with: cofferd init";
		return ERR_CONFIG;
	}
	if (err == ERR_CONFLICT) {
		*reason_out = "another process has this vault open";
		return ERR_BUSY;
	}
	if (err != OK)
		return err;
	err = unwrap_keyring(store, root, keys_out, reason_out);
	if (err != OK) {
		store_close(store);
		return err;
	}
	*store_out = store;
	return OK;
}

/* ---- init ---- */

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

/* Everything a vault needs, in one transaction. */
static enum err fill_store(
	struct store *store, const struct root_key *root, char secret_text[RECOVERY_TEXT_BYTES])
{
	struct store_state state = {.created_ms = clock_wall_ms()};
	unsigned char box[RECOVERY_BOX_BYTES] = {0};
	char fingerprint[RECOVERY_FINGERPRINT_BYTES] = "";
	struct keys *keys = NULL;

	random_bytes(state.vault_id, sizeof(state.vault_id));
	root_key_id(root, state.rkid);

	enum err err = keys_generate(state.vault_id, &keys);

	if (err == OK)
		err = recovery_generate(root, box, fingerprint, secret_text);
	if (err == OK)
		err = store_begin(store);
	if (err == OK)
		err = store_state_init(store, &state);
	if (err == OK)
		err = put_keyring(store, keys, root);
	if (err == OK)
		err = store_recovery_put(store, fingerprint, (struct store_blob){box, sizeof(box)});
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

/* Not through stdio, which would keep a copy. */
static bool write_line(const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return write(STDOUT_FILENO, "\n", 1) == 1;
}

/* False when not all of it could be said: nobody would ever see this recovery key again. */
static bool print_made(const struct config *config, const char *secret_text)
{
	printf("Made the vault in %s\n", config->state_dir);
	if (config->root_key_source == ROOT_KEY_FILE)
		printf("Made its root key %s (keep it off the backups of the vault)\n",
			config->root_key_path);
	printf("\nThe recovery key, shown this once.  Write it down and lock it away from this host;\n"
	       "with it, cofferd recover makes the root key anew:\n\n  ");
	return fflush(stdout) == 0 && !ferror(stdout) && write_line(secret_text);
}

/* The key exists before the store, so that no store is ever without one; a failed init takes its own key back. */
static enum err make_root_key(
	const struct config *config, struct root_key **out, bool *is_new_out, const char **reason_out)
{
	*is_new_out = config->root_key_source == ROOT_KEY_FILE;
	if (!*is_new_out)
		return rootkey_read(config, out, reason_out);

	enum err err = root_key_generate(out);

	return err == OK ? rootkey_write(config, *out, reason_out) : err;
}

static bool is_vault_there(const struct config *config)
{
	char path[CONFIG_PATH_BYTES + 16] = "";
	struct stat st = {0};

	snprintf(path, sizeof(path), "%s/coffer.db", config->state_dir);
	return lstat(path, &st) == 0;
}

/* Takes back what this run made; a vault that was there before never gets here. */
static void remove_made(const struct config *config, bool is_new_key)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal", "coffer.db-journal"};
	char path[CONFIG_PATH_BYTES + 32] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", config->state_dir, names[i]);
		unlink(path);
	}
	if (is_new_key)
		unlink(config->root_key_path);
}

/* Makes the directory durably (P5); one that exists is fine. */
static enum err make_state_dir(const struct config *config)
{
	if (mkdir(config->state_dir, 0700) != 0)
		return errno == EEXIST ? OK : ERR_CONFIG;
	return rootkey_sync_directory_of(config->state_dir);
}

int setup_init(const struct config *config)
{
	__attribute__((cleanup(free_root_key))) struct root_key *root = NULL;
	LOCKED_AUTO text = {0};
	struct store *store = NULL;
	const char *reason = NULL;
	bool is_new_key = false;

	if (is_vault_there(config))
		return fail(ERR_CONFLICT, "there is a vault already; it is left as it is");
	if (make_state_dir(config) != OK)
		return fail(ERR_CONFIG, "state_dir cannot be made: does its parent directory exist?");

	enum err err = locked_map(RECOVERY_TEXT_BYTES, config->allow_swap, &text);

	if (err == OK)
		err = make_root_key(config, &root, &is_new_key, &reason);
	if (err != OK)
		return fail(err, reason);
	err = store_create(config->state_dir, &store, &reason);
	if (err != OK) {
		if (is_new_key)
			unlink(config->root_key_path);
		return fail(err, reason);
	}
	err = fill_store(store, root, (char *)text.bytes);
	store_close(store);
	if (err == OK && !print_made(config, (const char *)text.bytes)) {
		err = ERR_STORAGE;
		reason = "the recovery key could not be printed, so nothing was made";
	}
	if (err != OK) {
		remove_made(config, is_new_key);
		return fail(err, reason);
	}
	return 0;
}

/* ---- recover ---- */

struct recovering {
	const char *text;
	size_t len;
	struct root_key *root;
};

static enum err on_recovery_box(void *arg, const char *fingerprint, uint64_t epoch, struct store_blob box)
{
	struct recovering *recovering = arg;

	(void)fingerprint;
	(void)epoch;
	if (recovering->root != NULL)
		return OK;

	enum err err =
		recovery_open(recovering->text, recovering->len, box.bytes, box.len, &recovering->root);

	return err == ERR_DENIED ? OK : err; /* another recovery key's box */
}

static size_t read_line(char *out, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(STDIN_FILENO, out + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || out[len] == '\n')
			break;
		len++;
	}
	return len;
}

int setup_recover(const struct config *config)
{
	LOCKED_AUTO text = {0};
	struct recovering recovering = {0};
	struct store *store = NULL;
	struct keys *keys = NULL;
	const char *reason = NULL;
	enum err err = locked_map(RECOVERY_TEXT_BYTES, config->allow_swap, &text);

	if (err != OK)
		return fail(err, "no locked memory for the recovery key");
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "Recovery key: ");
	recovering.text = (const char *)text.bytes;
	recovering.len = read_line((char *)text.bytes, RECOVERY_TEXT_BYTES);
	err = store_open(config->state_dir, &store, &reason);
	if (err != OK)
		return fail(err, reason);
	err = store_recovery_each(store, on_recovery_box, &recovering);
	if (err == ERR_BAD_VALUE)
		reason = "this is not a coffer recovery key";
	if (err == OK && recovering.root == NULL) {
		err = ERR_DENIED;
		reason = "this recovery key does not belong to this vault";
	}
	if (err == OK)
		err = unwrap_keyring(store, recovering.root, &keys, &reason);
	if (err == OK)
		err = rootkey_write(config, recovering.root, &reason);
	keys_free(keys);
	root_key_free(recovering.root);
	store_close(store);
	if (err != OK)
		return fail(err, reason);
	printf("The recovery key opens the vault; made the root key anew: %s\n", config->root_key_path);
	return 0;
}
