/*
 * The service manager's side of the process: sockets handed over (sd_listen_fds(3)), readiness
 * (sd_notify(3)), signals as a descriptor.  Our own forty lines; no libsystemd.
 */
#ifndef COFFER_OPS_SERVICE_H
#define COFFER_OPS_SERVICE_H

#include <stdbool.h>

#include "err.h"

/* How many descriptors were handed over (from 3 on); 0 when LISTEN_PID is not us. */
int service_listen_count(void);

/* The handed-over descriptor with this LISTEN_FDNAMES name, close-on-exec set; -1 when there is none. */
int service_listen_fd(const char *name);

/*
 * The handed-over socket to serve: the one named cofferd.socket or coffer, else the only one; the others are
 * closed, with a warning.  OK with -1: nothing was handed over.  ERR_CONFIG: something was, but which one to
 * serve cannot be told.
 */
enum err service_take_socket(int *fd_out, const char **reason_out);

/* Sends e.g. "READY=1\nSTATUS=…"; silent without NOTIFY_SOCKET.  Never blocks for long. */
void service_notify(const char *state);

/* Interval at which WATCHDOG=1 is due, in ms (half of WATCHDOG_USEC); 0: no watchdog. */
long service_watchdog_ms(void);

/* Blocks TERM, INT, HUP and returns a signalfd for them; -1 on failure. */
int service_signal_fd(void);

#endif
