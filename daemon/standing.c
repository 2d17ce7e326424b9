/*
 * What cofferd init finds where it has been before: a whole vault is left as it is and is no failure, half of one is named
 * with the way out.  Nothing is ever made anew over something that is there.
 */
#include "setup.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "site.h"

static int refuse(enum err err, const char *what, const char *path, const char *reason)
{
	return setup_fail(err, log_about(what, path, reason));
}

/* Which of the recovery keys that init was given have a box in the vault. */
struct boxes {
	const struct setup_recipients *wanted;
	bool is_there[SETUP_RECIPIENTS_MAX];
};

static enum err on_box(void *arg, const char *fingerprint, uint64_t epoch, struct store_blob box)
{
	struct boxes *boxes = arg;

	(void)epoch;
	(void)box;
	for (size_t i = 0; i < boxes->wanted->count; i++)
		if (strcmp(boxes->wanted->key[i].fingerprint, fingerprint) == 0)
			boxes->is_there[i] = true;
	return OK;
}

static enum err check_boxes(
	struct store *store, const struct setup_recipients *wanted, const char **reason_out)
{
	struct boxes boxes = {.wanted = wanted};
	enum err err = store_recovery_each(store, on_box, &boxes);

	*reason_out =
		"there is a vault already, but not for all of the recovery recipients that were given; it is "
		"left as it is";
	for (size_t i = 0; err == OK && i < wanted->count; i++)
		if (!boxes.is_there[i])
			err = ERR_CONFLICT;
	return err;
}

/* Opened as a start would open it.  A vault that a daemon serves was found whole by it. */
static enum err check_whole(struct site *site, const struct setup_recipients *wanted, const char **reason_out)
{
	__attribute__((cleanup(setup_free_root_key))) struct root_key *root = NULL;
	struct store *store = NULL;
	struct keys *keys = NULL;
	const char *reason = NULL;
	enum err err = site_read_key(site, &root, reason_out);

	if (err != OK)
		return err;
	err = site_enter(site, reason_out);
	if (err != OK)
		return err;
	err = setup_open_store(site->config, root, &store, &keys, &reason);
	if (err == OK)
		err = check_boxes(store, wanted, &reason);
	keys_free(keys);
	store_close(store);
	site_leave(site);
	if (err == ERR_BUSY)
		return OK;
	if (err != OK)
		*reason_out = setup_about_store(site->config, err, reason);
	return err;
}

int setup_stand(struct site *site, const struct setup_recipients *wanted, bool *has_room_out)
{
	const struct config *config = site->config;
	const char *path = site_key_path(site), *reason = NULL;
	bool has_store = setup_has_store(config), has_key = site_has_key(site);

	*has_room_out = !has_store && (!has_key || path == NULL);
	if (*has_room_out)
		return 0;
	if (!has_store)
		return refuse(ERR_CONFLICT, "root_key", path,
			"there is a root key already, and no vault that belongs to it; it is left as it is: "
			"put the "
			"vault's files back, or move the key away and run cofferd init again");
	if (!has_key)
		return refuse(ERR_CONFLICT, "state_dir", config->state_dir,
			"there is a vault already, without its root key; it is left as it is: cofferd "
			"recover makes "
			"the key anew from the recovery key");

	enum err err = check_whole(site, wanted, &reason);

	if (err != OK)
		return setup_fail(err, reason);
	printf("There is a whole vault in %s already; nothing was changed\n", config->state_dir);
	return fflush(stdout) == 0 ? 0 : setup_fail(ERR_STORAGE, "standard output cannot be written");
}
