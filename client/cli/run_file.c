/*
 * Makes the files of --file: in memory, without a name, readable by their owner alone, and sealed, so that neither the
 * program nor anybody to whom it hands one can change what others will read.  They survive the exec and end with the
 * last descriptor.
 */
#include "run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

enum { SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

/* Kernels before 6.3 do not know MFD_NOEXEC_SEAL; later ones may insist on it (vm.memfd_noexec). */
static int make_file(void)
{
	int fd = memfd_create("coffer", MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("coffer", MFD_ALLOW_SEALING);
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;

	/* The caller left a standard descriptor closed, and the program must find it so. */
	int moved = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);

	close(fd);
	return moved;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, bytes, len);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			bytes += written;
			len -= (size_t)written;
		}
	}
	return true;
}

static bool fill_file(int fd, const struct coffer_variable *variable)
{
	return write_all(fd, variable->value, variable->value_len) && lseek(fd, 0, SEEK_SET) == 0 &&
	       fchmod(fd, 0400) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0;
}

static char *fail(const char *key, const char *why)
{
	say("--file ", key, ": ", why, NULL);
	return NULL;
}

char *run_files_add(struct run_files *files, const struct coffer_variable *variable, const char *name)
{
	if (files->list == NULL)
		files->list = calloc(ENV_KEYS_MAX, sizeof(*files->list));
	if (files->list == NULL || files->count == ENV_KEYS_MAX)
		return fail(variable->name, "out of memory");

	struct run_file *file = &files->list[files->count];

	file->fd = make_file();
	if (file->fd < 0)
		return fail(variable->name, strerrordesc_np(errno));
	files->count++;
	if (!fill_file(file->fd, variable))
		return fail(variable->name, strerrordesc_np(errno));
	snprintf(file->assignment, sizeof(file->assignment), "%s=/dev/fd/%d", name, file->fd);
	return file->assignment;
}

void run_files_clear(struct run_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		close(files->list[i].fd);
	free(files->list);
	*files = (struct run_files){0};
}
