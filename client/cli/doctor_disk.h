/*
 * What a path lies on: its mount, and whether the disk below is encrypted.
 */
#ifndef COFFER_CLI_DOCTOR_DISK_H
#define COFFER_CLI_DOCTOR_DISK_H

#include <stdbool.h>

struct doctor;

struct mount {
	char point[4096];
	char type[64]; /* of the filesystem */
	char source[4096]; /* "/dev/…", or what the filesystem calls it */
	unsigned major, minor;
};

/* The mount that a path lies on, by the kernel's table; false: the table cannot be read, which is said. */
bool disk_mount_of(struct doctor *doctor, const char *path, struct mount *out);

enum crypt { CRYPT_NO, CRYPT_YES, CRYPT_UNKNOWN };

/* Is what is written there encrypted before it reaches the disk (dm-crypt)?  Memory filesystems count as encrypted. */
enum crypt disk_is_encrypted(const struct doctor *doctor, const struct mount *mount);

/* The same of a block device by its name in /sys/class/block. */
enum crypt disk_device_is_encrypted(const struct doctor *doctor, const char *name);

#endif
