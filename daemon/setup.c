/*
 * Opening a vault: its root key, its store, its keyring, in that order, each refused by name.
 */
#include "setup.h"

#include "log.h"
#include "rootkey.h"

void setup_free_root_key(struct root_key **key)
{
	root_key_free(*key);
}

int setup_fail(enum err err, const char *reason)
{
	log_error("%s", reason != NULL ? reason : err_text(err));
	/* Both are about what is there, and how it is configured: on the wire they would mean something else. */
	return err_exit_code(err == ERR_CONFLICT || err == ERR_UNSUPPORTED ? ERR_CONFIG : err);
}

const char *setup_about_store(const struct config *config, enum err err, const char *reason)
{
	return log_about("state_dir", config->state_dir, reason != NULL ? reason : err_text(err));
}

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

static enum err open_store(const struct config *config, const struct root_key *root, struct store **store_out,
	struct keys **keys_out, const char **reason_out)
{
	struct store *store = NULL;
	enum err err = store_open(config->state_dir, &store, reason_out);

	if (err == ERR_NOT_FOUND) {
		*reason_out = "there is no vault there; make one with: cofferd init";
		return ERR_CONFIG;
	}
	if (err == ERR_CONFLICT) {
		*reason_out = "another process has this vault open";
		return ERR_BUSY;
	}
	if (err != OK)
		return err == ERR_UNSUPPORTED ? ERR_CONFIG : err;
	err = setup_unwrap_keyring(store, root, keys_out, reason_out);
	if (err != OK) {
		store_close(store);
		return err;
	}
	*store_out = store;
	return OK;
}

enum err setup_open(const struct config *config, struct store **store_out, struct keys **keys_out,
	const char **reason_out)
{
	__attribute__((cleanup(setup_free_root_key))) struct root_key *root = NULL;
	enum err err = rootkey_read(config, &root, reason_out);

	if (err != OK)
		return err;
	*reason_out = NULL;
	err = open_store(config, root, store_out, keys_out, reason_out);
	if (err != OK)
		*reason_out = setup_about_store(config, err, *reason_out);
	return err;
}
