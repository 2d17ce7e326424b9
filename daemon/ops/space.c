/*
 * Room on a filesystem, as statvfs(3) tells it to whoever is not root.
 */
#include "space.h"

#include <stdint.h>
#include <sys/statvfs.h>

enum err space_free_percent(const char *dir, unsigned *percent_out)
{
	struct statvfs space = {0};

	if (statvfs(dir, &space) != 0 || space.f_blocks == 0)
		return ERR_STORAGE;

	uint64_t free = (uint64_t)space.f_bavail * 100 / space.f_blocks;

	*percent_out = free > 100 ? 100 : (unsigned)free;
	return OK;
}

enum err space_free_bytes(const char *dir, uint64_t *bytes_out)
{
	struct statvfs space = {0};

	if (statvfs(dir, &space) != 0)
		return ERR_STORAGE;
	*bytes_out = (uint64_t)space.f_bavail * space.f_frsize;
	return OK;
}
