/*
 * cofferd recover: proves that a recovery key opens this vault, and makes the root key's file anew from it.
 */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "locked.h"
#include "log.h"
#include "rootkey.h"

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

int setup_recover(const struct config *config)
{
	LOCKED_AUTO text = {0};
	struct recovering recovering = {0};
	struct store *store = NULL;
	struct keys *keys = NULL;
	const char *reason = NULL;
	enum err err = locked_map(RECOVERY_TEXT_BYTES, config->allow_swap, &text);

	if (err != OK)
		return setup_fail(err, "no locked memory for the recovery key");
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "Recovery key: ");
	recovering.text = (const char *)text.bytes;
	recovering.len = read_line((char *)text.bytes, RECOVERY_TEXT_BYTES);
	err = store_open(config->state_dir, &store, &reason);
	if (err != OK)
		return setup_fail(err, setup_about_store(config, err, reason));
	err = store_recovery_each(store, on_recovery_box, &recovering);
	if (err == ERR_BAD_VALUE)
		reason = "this is not a coffer recovery key";
	if (err == OK && recovering.root == NULL) {
		err = ERR_DENIED;
		reason = setup_about_store(
			config, err, "the recovery key that was given does not belong to this vault");
	}
	if (err == OK) {
		err = setup_unwrap_keyring(store, recovering.root, &keys, &reason);
		if (err != OK)
			reason = setup_about_store(config, err, reason);
	}
	if (err == OK)
		err = rootkey_write(config, recovering.root, &reason);
	keys_free(keys);
	root_key_free(recovering.root);
	store_close(store);
	if (err != OK)
		return setup_fail(err, reason);
	printf("The recovery key opens the vault; made the root key anew: %s\n", config->root_key_path);
	return 0;
}
