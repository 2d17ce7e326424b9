#include "backups.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void close_dir(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

/* Keeps the list sorted, newest first; the oldest falls out of a full one. */
static size_t add(struct backup *list, size_t count, const char *name, int64_t written_ms)
{
	size_t at = count;

	while (at > 0 && list[at - 1].written_ms < written_ms)
		at--;
	if (at == BACKUPS_MAX)
		return count;
	if (count == BACKUPS_MAX)
		count--;
	memmove(&list[at + 1], &list[at], (count - at) * sizeof(*list));
	snprintf(list[at].name, sizeof(list[at].name), "%s", name);
	list[at].written_ms = written_ms;
	return count + 1;
}

size_t backups_since(const char *directory, int64_t since_ms, struct backup out[BACKUPS_MAX])
{
	__attribute__((cleanup(close_dir))) DIR *dir = opendir(directory);
	const struct dirent *entry = NULL;
	size_t count = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct stat st = {0};

		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
			continue;

		int64_t written_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;

		if (written_ms >= since_ms)
			count = add(out, count, entry->d_name, written_ms);
	}
	return count;
}
