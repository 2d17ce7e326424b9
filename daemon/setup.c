/*
 * Opening a vault: its root key, its store, its keyring, in that order, each refused by name.
 */
#include "setup.h"

#include <stdio.h>
#include <sys/stat.h>

#include "log.h"
#include "rootkey.h"

void setup_free_root_key(struct root_key **key)
{
	root_key_free(*key);
}

int setup_fail(enum err err, const char *reason)
{
	log_error("%s", reason != NULL ? reason : err_text(err));
	bool is_config = err == ERR_CONFLICT || err == ERR_UNSUPPORTED || err == ERR_NOT_FOUND;

	/* On the wire these mean something else. */
	return err_exit_code(is_config ? ERR_CONFIG : err);
}

const char *setup_about_store(const struct config *config, enum err err, const char *reason)
{
	return log_about("state_dir", config->state_dir, reason != NULL ? reason : err_text(err));
}

bool setup_has_store(const struct config *config)
{
	char path[CONFIG_PATH_BYTES + 16] = "";
	struct stat st = {0};

	snprintf(path, sizeof(path), "%s/coffer.db", config->state_dir);
	return lstat(path, &st) == 0;
}

static const char no_store[] = "there is no vault there; make one with: cofferd init";
static const char wrong_key[] = "wrong root key: this store belongs to another one";

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
enum err setup_unwrap_keyring(
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
	*reason_out = wrong_key;
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

enum err setup_open_store(const struct config *config, const struct root_key *root, struct store **store_out,
	struct keys **keys_out, const char **reason_out)
{
	struct store *store = NULL;
	enum err err = store_open(config->state_dir, &store, reason_out);

	if (err == ERR_NOT_FOUND)
		*reason_out = no_store;
	if (err == ERR_CONFLICT) {
		*reason_out = "another process has this vault open";
		return ERR_BUSY;
	}
	if (err != OK)
		return err;
	err = setup_unwrap_keyring(store, root, keys_out, reason_out);
	if (err != OK) {
		store_close(store);
		return err;
	}
	*store_out = store;
	return OK;
}

/* ---- the way out, for everybody ---- */

/* Which of the two is missing says more than that one is. */
static const char *mend_of_absent(const struct config *config, bool has_key)
{
	bool is_roots = config->root_key_source == ROOT_KEY_CREDENTIAL;

	if (has_key)
		return "its store is missing; restore a backup of it, or make another vault with cofferd "
		       "init";
	if (setup_has_store(config))
		return is_roots ? "its root key is missing; run cofferd recover as root"
				: "its root key is missing; run cofferd recover";
	return is_roots ? "it is not initialised; run cofferd init as root"
			: "it is not initialised; run cofferd init";
}

static const char *mend_of_store(const struct config *config, enum err err, const char *reason)
{
	if (err == ERR_NOT_FOUND)
		return mend_of_absent(config, true);
	if (err == ERR_UNSUPPORTED)
		return "its store was written by a newer version of coffer; install that version";
	if (err == ERR_STORAGE_FULL)
		return "there is no space left where its store is";
	if (reason == wrong_key)
		return "the root key is another vault's; put its own back, or run cofferd recover";
	return "it cannot be opened; the journal says why: journalctl -u cofferd";
}

enum err setup_open(const struct config *config, struct store **store_out, struct keys **keys_out,
	struct setup_refusal *refusal_out)
{
	__attribute__((cleanup(setup_free_root_key))) struct root_key *root = NULL;
	const char *reason = NULL;
	enum err err = rootkey_read(config, &root, &reason);

	if (err != OK) {
		refusal_out->mend = err == ERR_NOT_FOUND ? mend_of_absent(config, false)
							 : mend_of_store(config, err, reason);
		refusal_out->reason = reason;
		return err == ERR_NOT_FOUND ? ERR_CONFIG : err;
	}
	err = setup_open_store(config, root, store_out, keys_out, &reason);
	if (err == OK)
		return OK;
	refusal_out->mend = mend_of_store(config, err, reason);
	refusal_out->reason = setup_about_store(config, err, reason);
	return err == ERR_NOT_FOUND || err == ERR_UNSUPPORTED ? ERR_CONFIG : err;
}
