/*
 * The installed units of this host, told to systemd: what an operator would type after cofferd init, and what else to do
 * where it cannot be done.
 */
#ifndef COFFER_DAEMON_UNITS_H
#define COFFER_DAEMON_UNITS_H

#include <stdbool.h>

/*
 * Enables and starts sockets and service; a daemon that runs sealed starts anew.  has_own_config: the vault is not the one
 * that they serve.  The exit status.
 */
int units_start(bool has_own_config);

/* Starts a daemon anew that runs, or tries to. */
int units_restart(bool has_own_config);

#endif
