/*
 * cofferd recover: proves that a recovery key opens this vault, and makes the root key's file anew from it; recover-check
 * proves no less and makes nothing.
 */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "locked.h"
#include "log.h"
#include "site.h"

#define LOCKED_AUTO __attribute__((cleanup(locked_unmap))) struct locked

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

/* ---- what a recovery key opens ---- */

struct opened {
	struct store *store;
	struct root_key *root;
	struct keys *keys;
};

static void clear_opened(struct opened *opened)
{
	keys_free(opened->keys);
	root_key_free(opened->root);
	store_close(opened->store);
	*opened = (struct opened){0};
}

#define OPENED_AUTO __attribute__((cleanup(clear_opened))) struct opened

static enum err read_key(const struct config *config, struct opened *opened, const char **reason_out)
{
	LOCKED_AUTO text = {0};
	struct recovering recovering = {0};
	enum err err = locked_map(RECOVERY_TEXT_BYTES, config->allow_swap, &text);

	*reason_out = "no locked memory for the recovery key";
	if (err != OK)
		return err;
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "Recovery key: ");
	recovering.text = (const char *)text.bytes;
	recovering.len = read_line((char *)text.bytes, RECOVERY_TEXT_BYTES);
	*reason_out = NULL;
	err = store_open(config->state_dir, &opened->store, reason_out);
	if (err == ERR_CONFLICT)
		*reason_out = "another process has this vault open and needs no recovery; stop it first, or "
			      "start it "
			      "anew without its root key";
	if (err != OK) {
		*reason_out = setup_about_store(config, err, *reason_out);
		return err;
	}
	*reason_out = NULL;
	err = store_recovery_each(opened->store, on_recovery_box, &recovering);
	opened->root = recovering.root;
	if (err == ERR_BAD_VALUE)
		*reason_out = "this is not a coffer recovery key";
	return err;
}

/* Proves that the key on standard input opens the vault: store, root key and keyring are then open, and we its owner. */
static enum err open_by_recovery_key(struct site *site, struct opened *opened, const char **reason_out)
{
	const struct config *config = site->config;
	enum err err = site_enter(site, reason_out);

	if (err == OK)
		err = read_key(config, opened, reason_out);
	if (err == OK && opened->root == NULL) {
		err = ERR_DENIED;
		*reason_out = setup_about_store(
			config, err, "the recovery key that was given does not belong to this vault");
	}
	if (err != OK)
		return err;
	err = setup_unwrap_keyring(opened->store, opened->root, &opened->keys, reason_out);
	if (err != OK)
		*reason_out = setup_about_store(config, err, *reason_out);
	return err;
}

/* ---- the record of it ---- */

static void on_commit(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

static enum err append_record(struct store *store)
{
	struct store_state state = {0};
	struct chain chain = {0};
	struct record record = {.time_ms = clock_wall_ms(),
		.repeats = 1,
		.uid = geteuid(),
		.gid = getegid(),
		.pid = getpid(),
		.kind = "vault.recover",
		.outcome = "ok"};
	enum err err = store_state_get(store, &state);

	if (err != OK)
		return err;
	chain.seq = state.audit_seq;
	memcpy(chain.head, state.audit_head, sizeof(chain.head));
	chain_append(&chain, &record);
	return store_audit_append(store, &record);
}

/* That the way back was walked is worth knowing later: coffer doctor asks for it (P4). */
static enum err record_proof(const struct config *config, struct store *store, const char **reason_out)
{
	enum err committed = ERR_STORAGE;
	enum err err = store_begin(store);

	if (err == OK) {
		err = append_record(store);
		if (err == OK)
			store_commit(store, on_commit, &committed);
		else
			store_abort(store);
		err = err == OK ? committed : err;
	}
	if (err != OK)
		*reason_out = setup_about_store(config, err, "the proof cannot be recorded in the audit log");
	return err;
}

/* The key is root's to write where the vault is the host's. */
static enum err write_key(struct site *site, const struct root_key *root, const char **reason_out)
{
	const char *reason = NULL;

	site_leave(site);

	enum err err = site_write_key(site, root, reason_out);

	if (site_enter(site, &reason) != OK)
		log_warning("%s", reason);
	return err;
}

int setup_recover(const struct config *config)
{
	SITE_AUTO site = {0}; /* left when all that was opened is closed */
	OPENED_AUTO opened = {0};
	const char *reason = NULL;
	enum err err = site_find(&site, config, &reason);

	if (err == OK)
		err = open_by_recovery_key(&site, &opened, &reason);
	if (err == OK)
		err = write_key(&site, opened.root, &reason);
	if (err != OK)
		return setup_fail(err, reason);
	printf("The recovery key opens the vault; made the root key anew: %s\n", site_key_path(&site));
	/* The key is there, whatever becomes of its record. */
	if (record_proof(config, opened.store, &reason) != OK)
		log_warning("%s", reason);
	return 0;
}

int setup_recover_check(const struct config *config)
{
	SITE_AUTO site = {.config = config};
	OPENED_AUTO opened = {0};
	const char *reason = NULL;
	/* Without a key to seal the vault's owner needs nobody's rights. */
	enum err err = geteuid() == 0 ? site_find(&site, config, &reason) : OK;

	if (err == OK)
		err = open_by_recovery_key(&site, &opened, &reason);
	if (err == OK)
		err = record_proof(config, opened.store, &reason);
	if (err != OK)
		return setup_fail(err, reason);
	printf("The recovery key opens the vault; nothing was changed but the audit log, which says so.\n");
	return 0;
}
