/*
 * From the text of /proc/PID/cgroup to the system unit that the process belongs to.
 */
#ifndef COFFER_AUTH_CGROUP_H
#define COFFER_AUTH_CGROUP_H

#include <stddef.h>

#include "text.h"

/*
 * As systemd's cg_path_get_unit: the line "0::PATH" (hosts with cgroup v1: the line of "name=systemd"),
 * leading *.slice components skipped, the next component is the unit, one leading '_' stripped; what is
 * deeper belongs to it.  Everything under user@UID.service is that user's to forge and is no system unit.
 * Returns NULL and sets unit, or returns a constant sentence why there is none.
 */
const char *cgroup_unit(const char *text, size_t len, char unit[UNIT_BYTES_MAX + 1]);

/* The same, and where the unit is: the path below the root of its hierarchy, without what is deeper. */
const char *cgroup_unit_path(
	const char *text, size_t len, char unit[UNIT_BYTES_MAX + 1], char *path_out, size_t cap);

#endif
