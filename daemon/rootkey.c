/*
 * Reading and making the root key's file.  Its text is in locked memory while it is in ours, and read with
 * read(2): stdio would keep a copy (P1).
 */
#include "rootkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "locked.h"
#include "log.h"

#define REASON_PRESENT "there is a file already; it is left as it is"

static const char credential_name[] = "rootkey";

/* What the unit's SetCredential= gives where LoadCredentialEncrypted= finds no file: else the daemon could not start. */
static const char absent_credential[] = "absent";

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

#define LOCKED_AUTO __attribute__((cleanup(locked_unmap))) struct locked

static enum err key_path(const struct config *config, char out[CONFIG_PATH_BYTES], const char **reason_out)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	int len = 0;

	if (config->root_key_source == ROOT_KEY_FILE) {
		len = snprintf(out, CONFIG_PATH_BYTES, "%s", config->root_key_path);
	} else if (directory == NULL || directory[0] != '/') {
		*reason_out = "root_key = credential, but no credential was passed: set "
			      "LoadCredentialEncrypted=rootkey:… in the unit, or root_key = file:/path";
		return ERR_CONFIG;
	} else {
		len = snprintf(out, CONFIG_PATH_BYTES, "%s/%s", directory, credential_name);
	}
	*reason_out = "the root key's path is too long";
	return len > 0 && len < CONFIG_PATH_BYTES ? OK : ERR_CONFIG;
}

/*
 * A file must be 0400 or stricter and its reader's own.  systemd's credential files are the unit user's 0400 or root's 0440
 * with an ACL, in a directory that only the unit sees: there only others' access is refused.
 */
static enum err check_file(const struct config *config, int fd, const char **reason_out)
{
	mode_t forbidden = config->root_key_source == ROOT_KEY_FILE ? 0377 : 0337;
	struct stat st = {0};

	*reason_out = "the root key is not a regular file";
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return ERR_CONFIG;
	*reason_out = "the root key may be read or changed by others: chmod 0400 it";
	if ((st.st_mode & forbidden) != 0)
		return ERR_CONFIG;
	*reason_out = "the root key belongs to another user";
	if (config->root_key_source == ROOT_KEY_FILE && st.st_uid != geteuid())
		return ERR_CONFIG;
	return OK;
}

/* Up to cap bytes; fails when there are more. */
static bool read_whole(int fd, unsigned char *out, size_t cap, size_t *len_out)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, out + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0) {
			*len_out = len;
			return true;
		}
		len += (size_t)n;
	}
	return false;
}

static enum err refuse_absent(const struct config *config, const char **reason_out)
{
	*reason_out =
		config->root_key_source == ROOT_KEY_FILE
			? "there is no root key there; make the vault with cofferd init, or restore the "
			  "key with cofferd recover"
			: "there is no root key there; as root, make the vault with cofferd init, or "
			  "restore the key with cofferd recover";
	return ERR_NOT_FOUND;
}

static bool is_absent(const struct config *config, const unsigned char *text, size_t len)
{
	return config->root_key_source == ROOT_KEY_CREDENTIAL && len == strlen(absent_credential) &&
	       memcmp(text, absent_credential, len) == 0;
}

static enum err read_key(
	const struct config *config, const char *path, struct root_key **out, const char **reason_out)
{
	LOCKED_AUTO text = {0};
	size_t len = 0;

	FD_AUTO fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return refuse_absent(config, reason_out);
	if (fd < 0) {
		*reason_out = "the root key cannot be opened";
		return ERR_CONFIG;
	}

	enum err err = check_file(config, fd, reason_out);

	if (err != OK)
		return err;
	*reason_out = "no locked memory for the root key";
	err = locked_map(ROOT_KEY_TEXT_BYTES, config->allow_swap, &text);
	if (err != OK)
		return err;
	*reason_out = "this is not a coffer root key: wrong length, format or checksum";
	if (!read_whole(fd, text.bytes, ROOT_KEY_TEXT_BYTES, &len))
		return ERR_CONFIG;
	if (is_absent(config, text.bytes, len))
		return refuse_absent(config, reason_out);
	return root_key_parse((const char *)text.bytes, len, out) == OK ? OK : ERR_CONFIG;
}

enum err rootkey_read(const struct config *config, struct root_key **out, const char **reason_out)
{
	char path[CONFIG_PATH_BYTES] = "";
	enum err err = key_path(config, path, reason_out);

	if (err != OK)
		return err;
	err = read_key(config, path, out, reason_out);
	if (err != OK)
		*reason_out = log_about("root_key", path, *reason_out);
	return err;
}

static enum err write_synced(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_STORAGE;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? OK : ERR_STORAGE;
}

enum err rootkey_sync_directory_of(const char *path)
{
	char directory[CONFIG_PATH_BYTES] = "";
	const char *slash = strrchr(path, '/');

	/* Configured paths are absolute and plain. */
	snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);

	FD_AUTO fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0 ? OK : ERR_STORAGE;
}

static enum err write_key(const struct config *config, const struct root_key *key, const char **reason_out)
{
	LOCKED_AUTO text = {0};
	enum err err = OK;

	*reason_out = "no locked memory for the root key";
	err = locked_map(ROOT_KEY_TEXT_BYTES, config->allow_swap, &text);
	if (err != OK)
		return err;

	FD_AUTO fd = open(config->root_key_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);

	if (fd < 0) {
		*reason_out = errno == EEXIST ? REASON_PRESENT
					      : "the root key file cannot be made: does its directory exist?";
		return errno == EEXIST ? ERR_CONFLICT : ERR_CONFIG;
	}
	root_key_format(key, (char *)text.bytes);
	*reason_out = "the root key file cannot be written";
	err = write_synced(fd, (const char *)text.bytes, strlen((const char *)text.bytes));
	if (err == OK)
		err = rootkey_sync_directory_of(config->root_key_path);
	if (err != OK)
		unlink(config->root_key_path);
	return err;
}

enum err rootkey_write(const struct config *config, const struct root_key *key, const char **reason_out)
{
	*reason_out = "root_key = credential: make the credential first, or set root_key = file:/path";
	if (config->root_key_source != ROOT_KEY_FILE)
		return ERR_CONFIG;

	enum err err = write_key(config, key, reason_out);

	if (err != OK)
		*reason_out = log_about("root_key", config->root_key_path, *reason_out);
	return err;
}
