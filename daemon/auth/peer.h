/*
 * The kernel's word on who connected, taken once at accept, kept in a struct, never in text (P9).
 */
#ifndef COFFER_AUTH_PEER_H
#define COFFER_AUTH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "text.h"

/* What the kernel shows for a user or group that has no translation here: many strangers share it. */
enum { PEER_OVERFLOW_ID = 65534 };

struct principal {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary groups at connect; owned */
	size_t group_count;
	pid_t pid;
	int pidfd; /* of the process that connected, or -1; owned */
	bool is_pid_proven; /* the pidfd is that process without doubt: SO_PEERPIDFD, or peer_prove */
	char unit[UNIT_BYTES_MAX + 1]; /* system unit, "" when there is none or it is not proven */
	uint64_t
		token_id; /* of the token that this connection has shown, or 0; whether it is still good is asked at each use */
	bool has_login; /* the process is behind a login, and proven */
	uid_t login_uid; /* whose: it stays the same through su and sudo */
	const char *unit_reason; /* why there is no unit; a constant, for whoami and the audit record */
};

/*
 * Fills out from the connected socket.  ERR_DENIED: uid 65534, pid 0, a process that is gone, or any doubt
 * (reason_out, a constant).  Where the kernel lacks SO_PEERPIDFD the pid is not proven yet and the unit is
 * empty: set peer_needs_proof's challenge going.
 */
enum err peer_identify(int socket_fd, struct principal *out, const char **reason_out);

/* True when this principal could still prove its pid by answering a challenge (kernels before 6.5). */
bool peer_needs_proof(const struct principal *principal);

/*
 * The answer to the challenge came with these kernel-made credentials (SCM_CREDENTIALS).  When they equal
 * the connector's and it is still alive, the unit becomes known.  ERR_DENIED otherwise; nothing changes then.
 */
enum err peer_prove(struct principal *principal, pid_t pid, uid_t uid, gid_t gid);

/*
 * The unit of a peer that answers no challenge: the service manager's.  Where the kernel lacks SO_PEERPIDFD its pid
 * stays a number that was looked up while a process lived that had it, so this is for uid 0 alone, which could be in
 * any unit that it likes.  Returns NULL and sets unit, or says why there is none (a constant).
 */
const char *peer_find_unit(const struct principal *principal, char unit[UNIT_BYTES_MAX + 1]);

/* False as soon as the process that connected has ended; true when there is no proven pidfd to ask. */
bool peer_is_alive(const struct principal *principal);

void peer_clear(struct principal *principal); /* closes and frees; fine on {0} with pidfd -1 */

bool peer_has_group(const struct principal *principal, gid_t gid);

#endif
