/*
 * Reads the kernel's table of mounts and what it says of block devices: an encrypted one is a dm-crypt device, or lies upon
 * nothing but such.
 */
#include "doctor_disk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

enum { PATH_BYTES = 4096, DEPTH_MAX = 8 };

/* \040 and the like, in place. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *at = text; *at != '\0'; at++) {
		bool is_octal = at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' &&
				at[2] <= '7' && at[3] >= '0' && at[3] <= '7';

		*out++ = is_octal ? (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0')) : *at;
		at += is_octal ? 3 : 0;
	}
	*out = '\0';
}

static bool is_below(const char *path, const char *point)
{
	size_t len = strlen(point);

	return strcmp(point, "/") == 0 ||
	       (strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

/* "36 35 98:0 /root /point options … - type source options" */
static bool read_mount(const char *line, struct mount *out)
{
	const char *behind = strstr(line, " - ");

	if (behind == NULL ||
		sscanf(line, "%*u %*u %u:%u %*s %4095s", &out->major, &out->minor, out->point) != 3 ||
		sscanf(behind, " - %63s %4095s", out->type, out->source) != 2)
		return false;
	unescape(out->point);
	unescape(out->source);
	return true;
}

bool disk_mount_of(struct doctor *doctor, const char *path, struct mount *out)
{
	static const char table[] = "/proc/self/mountinfo";
	char *text = calloc(1, 16 * (size_t)DOCTOR_FILE_BYTES);
	char whole[PATH_BYTES] = "";
	bool has_any = false;

	/* A link on the way leads to another disk; below a root of its own there is nobody to ask. */
	if (*doctor->root != '\0' || realpath(path, whole) == NULL)
		(void)snprintf(whole, sizeof(whole), "%s", path);
	if (text != NULL && doctor_need(doctor, table, text, 16 * (size_t)DOCTOR_FILE_BYTES)) {
		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			struct mount mount = {0};

			/* Of mounts at one point the last one counts. */
			if (read_mount(line, &mount) && is_below(whole, mount.point) &&
				(!has_any || strlen(mount.point) >= strlen(out->point))) {
				*out = mount;
				has_any = true;
			}
		}
		if (!has_any)
			doctor_cannot(doctor, "%s does not say what %s lies on", table, path);
	}
	doctor->has_failed |= text == NULL;
	free(text);
	return has_any;
}

/* ---- block devices ---- */

/* directory is that of the device below /sys, without the root. */
static enum crypt look(const struct doctor *doctor, const char *directory, unsigned depth)
{
	char path[PATH_BYTES + 64] = "";
	char uuid[256] = "";
	enum crypt all = CRYPT_NO;
	DIR *slaves = NULL;

	(void)snprintf(path, sizeof(path), "%s/dm/uuid", directory);
	if (doctor_read(doctor, path, uuid, sizeof(uuid)) && strncmp(uuid, "CRYPT-", strlen("CRYPT-")) == 0)
		return CRYPT_YES;
	(void)snprintf(path, sizeof(path), "%s%s/slaves", doctor->root, directory);
	slaves = depth < DEPTH_MAX ? opendir(path) : NULL;
	if (slaves == NULL)
		return CRYPT_NO;
	for (const struct dirent *entry = readdir(slaves); entry != NULL; entry = readdir(slaves)) {
		int len = snprintf(path, sizeof(path), "%s/slaves/%s", directory, entry->d_name);

		if (entry->d_name[0] == '.' || len > PATH_BYTES)
			continue;
		all = look(doctor, path, depth + 1);
		if (all != CRYPT_YES)
			break;
	}
	(void)closedir(slaves);
	return all;
}

static bool is_there(const struct doctor *doctor, const char *directory)
{
	char path[PATH_BYTES] = "";
	DIR *found = NULL;

	(void)snprintf(path, sizeof(path), "%s%s", doctor->root, directory);
	found = opendir(path);
	if (found != NULL)
		(void)closedir(found);
	return found != NULL;
}

enum crypt disk_device_is_encrypted(const struct doctor *doctor, const char *name)
{
	char directory[PATH_BYTES] = "";

	(void)snprintf(directory, sizeof(directory), "/sys/class/block/%s", name);
	return is_there(doctor, directory) ? look(doctor, directory, 0) : CRYPT_UNKNOWN;
}

/* btrfs and the like have numbers of their own; their source is the device. */
static enum crypt look_at_source(const struct doctor *doctor, const char *source)
{
	char whole[PATH_BYTES] = "";
	const char *slash = NULL;

	if (strncmp(source, "/dev/", strlen("/dev/")) != 0)
		return CRYPT_UNKNOWN;
	if (*doctor->root != '\0' || realpath(source, whole) == NULL)
		(void)snprintf(whole, sizeof(whole), "%s", source);
	slash = strrchr(whole, '/');
	return disk_device_is_encrypted(doctor, slash + 1);
}

enum crypt disk_is_encrypted(const struct doctor *doctor, const struct mount *mount)
{
	char directory[64] = "";

	if (strcmp(mount->type, "tmpfs") == 0 || strcmp(mount->type, "ramfs") == 0)
		return CRYPT_YES;
	(void)snprintf(directory, sizeof(directory), "/sys/dev/block/%u:%u", mount->major, mount->minor);
	return mount->major != 0 && is_there(doctor, directory) ? look(doctor, directory, 0)
								: look_at_source(doctor, mount->source);
}
