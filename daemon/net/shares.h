/*
 * Who may hold how many connections: a total, a part of it kept free for the privileged, a share per uid
 * (P8).
 */
#ifndef COFFER_NET_SHARES_H
#define COFFER_NET_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

struct shares {
	struct share *slots; /* open addressing, a power of two of them */
	size_t slot_count;
	size_t most; /* connections in all */
	size_t reserved; /* of these, only for the privileged */
	size_t most_per_uid;
	size_t total; /* connections there are */
};

/*
 * Sets the limits and makes room for them, at first and again later; connections that are there stay, even
 * when they are too many now.  ERR_INTERNAL: out of memory, nothing changed.
 */
enum err shares_resize(struct shares *shares, size_t most, size_t reserved);
void shares_deinit(struct shares *shares);

/* Counts one more connection of uid.  ERR_BUSY: not now, reason_out (a constant) tells which limit. */
enum err shares_take(struct shares *shares, uid_t uid, bool is_privileged, const char **reason_out);
void shares_give(struct shares *shares, uid_t uid);

/* True when there is no room for anybody. */
bool shares_are_full(const struct shares *shares);

#endif
