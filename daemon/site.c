#include "site.h"

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
	const char *const directories[SITE_DIRECTORIES] = {
		config->state_dir, config->anchor, config->backup_dir, config->archive_dir};

	return directories[i];
}

enum err site_find(struct site *site, const struct config *config, const char **reason_out)
{
	*site = (struct site){.config = config, .is_hosts = credential_is_ours(config)};
	if (!site->is_hosts)
		return OK;

	enum err err = credential_check_usable(reason_out);

	if (err != OK)
		return err;
	*reason_out =
		"there is no user " SITE_USER ", whom the vault would belong to: systemd-sysusers makes it "
		"from coffer's file in sysusers.d, or: useradd --system " SITE_USER;
	return become_find(SITE_USER, &site->user) == OK ? OK : ERR_CONFIG;
}

enum err site_enter(struct site *site, const char **reason_out)
{
	*reason_out = "root cannot act as the user " SITE_USER;

	enum err err = site->is_hosts ? become(&site->user) : OK;

	site->has_entered = err == OK && site->is_hosts;
	return err;
}

void site_leave(struct site *site)
{
	if (site->has_entered)
		become_root();
	site->has_entered = false;
}

/* ---- the root key ---- */

const char *site_key_path(const struct site *site)
{
	if (site->is_hosts)
		return CREDENTIAL_PATH;
	return site->config->root_key_source == ROOT_KEY_FILE ? site->config->root_key_path : NULL;
}

bool site_has_key(const struct site *site)
{
	struct stat st = {0};
	const char *path = site_key_path(site);

	return path == NULL || lstat(path, &st) == 0;
}

enum err site_read_key(const struct site *site, struct root_key **out, const char **reason_out)
{
	if (!site->is_hosts)
		return rootkey_read(site->config, out, reason_out);

	enum err err = credential_read(site->config, out, reason_out);

	if (err != OK)
		*reason_out = log_about("root_key", CREDENTIAL_PATH, *reason_out);
	return err;
}

enum err site_write_key(struct site *site, const struct root_key *key, const char **reason_out)
{
	if (!site->is_hosts) {
		enum err err = rootkey_write(site->config, key, reason_out);

		site->has_key_file = err == OK; /* else the file is another's, or gone again */
		return err;
	}

	enum err err = credential_write(site->config, key, &site->credential, reason_out);

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

enum err site_make_directories(struct site *site, const char **reason_out)
{
	if (!site->is_hosts)
		return make_own(site->config, &site->has_directory[0], reason_out);
	for (size_t i = 0; i < SITE_DIRECTORIES; i++) {
		const char *path = directory_of(site->config, i), *reason = NULL;
		enum err err = rootdir_make_for(
			path, site->user.uid, site->user.gid, &site->has_directory[i], &reason);

		if (err != OK) {
			*reason_out = log_about("directory", path, reason);
			return err;
		}
	}
	return OK;
}

/* ---- all of it ---- */

void site_remove(const struct site *site)
{
	credential_remove(&site->credential);
	if (site->has_key_file)
		unlink(site->config->root_key_path);
	for (size_t i = 0; i < SITE_DIRECTORIES; i++) {
		if (site->has_directory[i] && site->is_hosts)
			rootdir_remove(directory_of(site->config, i));
		else if (site->has_directory[i])
			rmdir(directory_of(site->config, i));
	}
}

void site_print(const struct site *site)
{
	if (site->has_key_file)
		printf("Made its root key %s (keep it off the backups of the vault)\n",
			site->config->root_key_path);
	if (site->credential.is_file)
		printf("Made its root key %s, sealed to this host%s; it opens nothing elsewhere\n",
			CREDENTIAL_PATH,
			site->credential.has_tpm ? " and its TPM"
						 : " (without a TPM: to the key on its disk)");
	for (size_t i = 1; i < SITE_DIRECTORIES; i++)
		if (site->has_directory[i])
			printf("Made the directory %s\n", directory_of(site->config, i));
}
