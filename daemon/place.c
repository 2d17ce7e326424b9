#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "rootdir.h"
#include "rootkey.h"
#include "setup.h"

/* Of a vault of one's own only the first is made: the others come with what needs them. */
static const char *directory_of(const struct config *config, size_t i)
{
	const char *const directories[PLACE_DIRECTORIES] = {
		config->state_dir, config->anchor, config->backup_dir, config->archive_dir};

	return directories[i];
}

enum err place_find(struct place *place, const struct config *config, const char **reason_out)
{
	*place = (struct place){.config = config, .is_hosts = credential_is_ours(config)};
	if (!place->is_hosts)
		return OK;

	enum err err = credential_check_usable(reason_out);

	if (err != OK)
		return err;
	*reason_out =
		"there is no user " PLACE_USER ", whom the vault would belong to: systemd-sysusers makes it "
		"from coffer's file in sysusers.d, or: useradd --system " PLACE_USER;
	return become_find(PLACE_USER, &place->user) == OK ? OK : ERR_CONFIG;
}

enum err place_enter(struct place *place, const char **reason_out)
{
	*reason_out = "root cannot act as the user " PLACE_USER;

	enum err err = place->is_hosts ? become(&place->user) : OK;

	place->has_entered = err == OK && place->is_hosts;
	return err;
}

void place_leave(struct place *place)
{
	if (place->has_entered)
		become_root();
	place->has_entered = false;
}

/* ---- the root key ---- */

const char *place_key_path(const struct place *place)
{
	if (place->is_hosts)
		return CREDENTIAL_PATH;
	return place->config->root_key_source == ROOT_KEY_FILE ? place->config->root_key_path : NULL;
}

bool place_has_key(const struct place *place)
{
	struct stat st = {0};
	const char *path = place_key_path(place);

	return path == NULL || lstat(path, &st) == 0;
}

enum err place_read_key(const struct place *place, struct root_key **out, const char **reason_out)
{
	if (!place->is_hosts)
		return rootkey_read(place->config, out, reason_out);

	enum err err = credential_read(place->config, out, reason_out);

	if (err != OK)
		*reason_out = log_about("root_key", CREDENTIAL_PATH, *reason_out);
	return err;
}

enum err place_write_key(struct place *place, const struct root_key *key, const char **reason_out)
{
	if (!place->is_hosts) {
		enum err err = rootkey_write(place->config, key, reason_out);

		place->has_key_file = err == OK; /* else the file is another's, or gone again */
		return err;
	}

	enum err err = credential_write(place->config, key, &place->credential, reason_out);

	if (err != OK)
		*reason_out = log_about("root_key", CREDENTIAL_PATH, *reason_out);
	return err;
}

/* ---- directories ---- */

static enum err make_own(const struct config *config, bool *is_new_out, const char **reason_out)
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

enum err place_make_directories(struct place *place, const char **reason_out)
{
	if (!place->is_hosts)
		return make_own(place->config, &place->has_directory[0], reason_out);
	for (size_t i = 0; i < PLACE_DIRECTORIES; i++) {
		const char *path = directory_of(place->config, i), *reason = NULL;
		enum err err = rootdir_make_for(
			path, place->user.uid, place->user.gid, &place->has_directory[i], &reason);

		if (err != OK) {
			*reason_out = log_about("directory", path, reason);
			return err;
		}
	}
	return OK;
}

/* ---- all of it ---- */

void place_remove(const struct place *place)
{
	credential_remove(&place->credential);
	if (place->has_key_file)
		unlink(place->config->root_key_path);
	for (size_t i = 0; i < PLACE_DIRECTORIES; i++) {
		if (place->has_directory[i] && place->is_hosts)
			rootdir_remove(directory_of(place->config, i));
		else if (place->has_directory[i])
			rmdir(directory_of(place->config, i));
	}
}

void place_print(const struct place *place)
{
	if (place->has_key_file)
		printf("Made its root key %s (keep it off the backups of the vault)\n",
			place->config->root_key_path);
	if (place->credential.is_file)
		printf("Made its root key %s, sealed to this host%s; it opens nothing elsewhere\n",
			CREDENTIAL_PATH,
			place->credential.has_tpm ? " and its TPM"
						  : " (without a TPM: to the key on its disk)");
	for (size_t i = 1; i < PLACE_DIRECTORIES; i++)
		if (place->has_directory[i])
			printf("Made the directory %s\n", directory_of(place->config, i));
}
