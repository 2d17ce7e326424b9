#include "credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "locked.h"
#include "log.h"
#include "rootdir.h"

#define DIRECTORY "/etc/coffer"
#define FILE_NAME "rootkey.cred"
#define SYSTEMD_CREDS "/usr/bin/systemd-creds"

/* A sealed key is 142 bytes long with the host's key alone, about 600 with a TPM. */
enum { BLOB_BYTES_MAX = CHILD_INPUT_BYTES_MAX };

struct blob {
	unsigned char bytes[BLOB_BYTES_MAX + 1];
	size_t len;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int
#define LOCKED_AUTO __attribute__((cleanup(locked_unmap))) struct locked

static void free_key(struct root_key **key)
{
	root_key_free(*key);
}

bool credential_is_ours(const struct config *config)
{
	return config->root_key_source == ROOT_KEY_CREDENTIAL && getenv("CREDENTIALS_DIRECTORY") == NULL;
}

enum err credential_check_usable(const char **reason_out)
{
	*reason_out =
		"root_key = credential: only root can seal and unseal the root key of this host; run this as "
		"root, or set [vault] root_key = file:/path for a vault of your own";
	if (geteuid() != 0)
		return ERR_CONFIG;
	*reason_out =
		"root_key = credential: " SYSTEMD_CREDS " is not there; install systemd 250 or newer, or "
		"set [vault] root_key = file:/path";
	return access(SYSTEMD_CREDS, X_OK) == 0 ? OK : ERR_CONFIG;
}

/* ---- sealing and unsealing ---- */

/* An answer that is too long is no answer either. */
static enum err run(struct child *child)
{
	enum err err = child_run(child);

	if (err == ERR_TOO_LARGE)
		return ERR_CONFIG;
	return err == OK && (child->exit_code != 0 || child->output_len == 0) ? ERR_CONFIG : err;
}

static enum err seal(const struct locked *text, const char *with_key, struct blob *out)
{
	const char *const argv[] = {SYSTEMD_CREDS, "encrypt", with_key, "--name=rootkey", "-", "-", NULL};
	struct child child = {.argv = argv,
		.input = text->bytes,
		.input_len = strlen((const char *)text->bytes),
		.output = out->bytes,
		.output_cap = sizeof(out->bytes)};
	enum err err = run(&child);

	out->len = child.output_len;
	return err;
}

static enum err unseal(const struct config *config, const struct blob *blob, struct root_key **out)
{
	static const char *const argv[] = {SYSTEMD_CREDS, "decrypt", "--name=rootkey", "-", "-", NULL};
	LOCKED_AUTO text = {0};
	enum err err = locked_map(ROOT_KEY_TEXT_BYTES, config->allow_swap, &text);
	struct child child = {.argv = argv,
		.input = blob->bytes,
		.input_len = blob->len,
		.output = text.bytes,
		.output_cap = ROOT_KEY_TEXT_BYTES};

	if (err == OK)
		err = run(&child);
	if (err != OK)
		return err;
	return root_key_parse((const char *)text.bytes, child.output_len, out) == OK ? OK : ERR_CONFIG;
}

/* What cannot be unsealed now will not be at the next boot either. */
static enum err prove(const struct config *config, const struct root_key *key, const struct blob *blob)
{
	__attribute__((cleanup(free_key))) struct root_key *back = NULL;
	unsigned char id[RKID_BYTES] = {0}, id_back[RKID_BYTES] = {0};
	enum err err = unseal(config, blob, &back);

	if (err != OK)
		return err;
	root_key_id(key, id);
	root_key_id(back, id_back);
	return bytes_equal(id, id_back, sizeof(id)) ? OK : ERR_CONFIG;
}

/* --with-key=auto would do without a TPM that it finds incomplete, as under a BIOS: it is asked for by name. */
static enum err seal_best(
	const struct config *config, const struct root_key *key, struct blob *out, bool *has_tpm_out)
{
	LOCKED_AUTO text = {0};
	enum err err = locked_map(ROOT_KEY_TEXT_BYTES, config->allow_swap, &text);

	if (err != OK)
		return err;
	root_key_format(key, (char *)text.bytes);
	if (access("/dev/tpmrm0", F_OK) == 0) {
		*has_tpm_out =
			seal(&text, "--with-key=host+tpm2", out) == OK && prove(config, key, out) == OK;
		if (*has_tpm_out)
			return OK;
		log_warning("this host's TPM cannot be used by systemd-creds (see above); the root key is "
			    "sealed to the host alone");
	}
	err = seal(&text, "--with-key=host", out);
	return err == OK ? prove(config, key, out) : err;
}

/* ---- the file ---- */

static enum err read_blob(struct blob *out, const char **reason_out)
{
	FD_AUTO fd = open(CREDENTIAL_PATH, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st = {0};

	if (fd < 0 && errno == ENOENT) {
		*reason_out =
			"there is no root key there; make the vault with cofferd init, or restore the key "
			"with cofferd recover";
		return ERR_NOT_FOUND;
	}
	*reason_out = "it cannot be read, is not a regular file, or is too long for a sealed root key";
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > BLOB_BYTES_MAX)
		return ERR_CONFIG;

	ssize_t n = read(fd, out->bytes, BLOB_BYTES_MAX);

	out->len = n < 0 ? 0 : (size_t)n;
	return n == st.st_size ? OK : ERR_CONFIG;
}

enum err credential_read(const struct config *config, struct root_key **out, const char **reason_out)
{
	struct blob blob = {0};
	enum err err = read_blob(&blob, reason_out);

	if (err != OK)
		return err;
	err = unseal(config, &blob, out);
	*reason_out =
		"this host cannot unseal it: it is damaged, or another host's; move it away, and restore the "
		"key with cofferd recover";
	return err;
}

static enum err open_directory(struct credential_made *made, int *fd_out, const char **reason_out)
{
	enum err err = rootdir_open(DIRECTORY, fd_out, reason_out);

	if (err == ERR_NOT_FOUND && mkdir(DIRECTORY, 0755) == 0) {
		made->is_directory = true;
		err = chmod(DIRECTORY, 0755) == 0 ? rootdir_open(DIRECTORY, fd_out, reason_out) : ERR_STORAGE;
	}
	*reason_out = "it lies in a directory that others than root may write to: chown root: " DIRECTORY
		      "; chmod go-w " DIRECTORY;
	return err == OK ? OK : ERR_CONFIG;
}

static enum err write_blob(
	int directory, const struct blob *blob, struct credential_made *made, const char **reason_out)
{
	FD_AUTO fd = openat(directory, FILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);

	*reason_out = "there is a file already; it is left as it is: move it away first";
	if (fd < 0 && errno == EEXIST)
		return ERR_CONFLICT;
	*reason_out = "it cannot be written";
	if (fd < 0)
		return ERR_STORAGE;
	made->is_file = true;
	return write(fd, blob->bytes, blob->len) == (ssize_t)blob->len && fchmod(fd, 0400) == 0 &&
			       fsync(fd) == 0 && fsync(directory) == 0
		       ? OK
		       : ERR_STORAGE;
}

enum err credential_write(const struct config *config, const struct root_key *key,
	struct credential_made *made_out, const char **reason_out)
{
	struct credential_made made = {0};
	struct blob blob = {0};
	FD_AUTO directory = -1;
	enum err err = seal_best(config, key, &blob, &made.has_tpm);

	*reason_out = "systemd-creds cannot seal the root key and unseal it again; it says above why";
	if (err == OK)
		err = open_directory(&made, &directory, reason_out);
	if (err == OK)
		err = write_blob(directory, &blob, &made, reason_out);
	if (err != OK) {
		credential_remove(&made);
		return err;
	}
	*made_out = made;
	return OK;
}

void credential_remove(const struct credential_made *made)
{
	if (made->is_file)
		unlink(CREDENTIAL_PATH);
	if (made->is_directory)
		rmdir(DIRECTORY);
}
