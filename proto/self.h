/*
 * Who this process is, as the kernel told it at its start: the daemon never changes its ids, and needs no system call to know
 * them.
 */
#ifndef COFFER_PROTO_SELF_H
#define COFFER_PROTO_SELF_H

#include <sys/auxv.h>
#include <sys/types.h>

static inline uid_t self_uid(void)
{
	return (uid_t)getauxval(AT_EUID);
}

static inline gid_t self_gid(void)
{
	return (gid_t)getauxval(AT_EGID);
}

#endif
