/*
 * Looks for programs.  A file without a "#!" line is not handed to a shell, unlike execvp(3): `run` never
 * starts a shell that nobody asked for.
 */
#include "program.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANAGE_NAME "coffer-manage"

static enum err check_program(const char *path)
{
	struct stat st = {0};

	if (stat(path, &st) != 0)
		return ERR_NOT_FOUND;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? OK : ERR_DENIED;
}

/* "directory/name"; an empty directory of PATH is the current one. */
static bool join(const char *directory, size_t directory_len, const char *name, char out[PATH_MAX])
{
	size_t name_len = strlen(name);
	size_t slash_len = directory_len > 0 ? 1 : 0;

	if (name_len >= PATH_MAX || directory_len >= PATH_MAX - slash_len - name_len) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(out, directory, directory_len);
	memcpy(out + directory_len, "/", slash_len);
	memcpy(out + directory_len + slash_len, name, name_len + 1);
	return true;
}

/* A directory of PATH that may not be looked into is passed over, but one that was asked for by name is told. */
static enum err check_path(const char *name, char out[PATH_MAX])
{
	enum err err = join("", 0, name, out) ? check_program(out) : ERR_NOT_FOUND;

	return err == ERR_NOT_FOUND && errno == EACCES ? ERR_DENIED : err;
}

enum err program_find(const char *name, const char *path, char out[PATH_MAX])
{
	enum err result = ERR_NOT_FOUND;

	if (name[0] == '\0')
		return ERR_NOT_FOUND;
	if (strchr(name, '/') != NULL)
		return check_path(name, out);
	for (;;) {
		size_t len = strcspn(path, ":");
		enum err err = join(path, len, name, out) ? check_program(out) : ERR_NOT_FOUND;

		if (err == OK)
			return OK;
		if (err == ERR_DENIED)
			result = ERR_DENIED;
		if (path[len] == '\0')
			return result;
		path += len + 1;
	}
}

static void try_manage(char **argv, const char *path, struct buf *tried)
{
	execv(path, argv);
	buf_append_string(tried, tried->len == 0 ? "" : ", ");
	buf_append_string(tried, path);
}

void program_become_manage(char **argv, struct buf *tried)
{
	static const char *const places[] = {MANAGE_NAME, "../libexec/coffer/" MANAGE_NAME};
	char own[PATH_MAX] = "";
	char place[PATH_MAX] = "";
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	const char *slash = len > 0 ? memrchr(own, '/', (size_t)len) : NULL;

	for (size_t i = 0; slash != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
		if (join(own, (size_t)(slash - own), places[i], place))
			try_manage(argv, place, tried);
	}
	try_manage(argv, COFFER_LIBEXECDIR "/" MANAGE_NAME, tried);
	buf_append_byte(tried, '\0');
}
