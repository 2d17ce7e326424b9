/*
 * What the address of a peer on the credentials socket claims, LoadCredential= of systemd.exec(5): which unit is
 * started, and which of its credentials is asked for.  A claim until the kernel's word on the peer agrees (P9).
 */
#ifndef COFFER_AUTH_CLAIM_H
#define COFFER_AUTH_CLAIM_H

#include "peer.h"

enum { CLAIM_NAME_BYTES_MAX = 107 }; /* what fits a socket's address */

struct claim {
	char unit[UNIT_BYTES_MAX + 1];
	char name[CLAIM_NAME_BYTES_MAX + 1]; /* of the credential: printable ASCII without '/' and ':' */
};

/* The bytes of an address, from the leading NUL of the abstract namespace on.  False for any other form. */
bool claim_parse(const char *address, size_t len, struct claim *out);

/* The claim of whoever is at the other end of a connection, for messages: nothing has been asked of the kernel yet. */
bool claim_read(int socket_fd, struct claim *out);

/*
 * Who is at the other end of a connection, already identified, and what it may ask for.  ERR_DENIED: it is not the
 * service manager starting that unit (reason_out, a constant); what could be read of its claim is in out, else "".
 */
enum err claim_take(
	int socket_fd, const struct principal *principal, struct claim *out, const char **reason_out);

#endif
