/*
 * What the service manager hands over at the start (sd_listen_fds(3)): sockets to serve, picked by their names, because they
 * come in any order; and what it kept for us over a restart.
 */
#ifndef COFFER_OPS_HANDOVER_H
#define COFFER_OPS_HANDOVER_H

#include "fd_store.h"

struct handover {
	int socket; /* to serve; -1: nothing was handed over at all */
	int credentials; /* the socket of units' credentials; -1: none */
	struct fd_store_entry *stored; /* connections that came back */
	size_t stored_count;
};

/* How many descriptors were handed over (from 3 on); 0 when LISTEN_PID is not us. */
int handover_count(void);

/*
 * Sorts them.  The socket to serve is the one named cofferd.socket or coffer, else the only one that is left; that of
 * credentials is named cofferd-credentials.socket or credentials; a connection that came back has an id for a name.  All
 * else is closed, with a warning.  The caller owns what is in out.  ERR_CONFIG: something was handed over, but which socket
 * to serve cannot be told.
 */
enum err handover_take(struct handover *out, const char **reason_out);

void handover_clear(struct handover *handover); /* closes what is left in it */

#endif
