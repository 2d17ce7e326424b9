/*
 * The installed units of this host, told to systemd: what an operator would type after cofferd init, and what else to do
 * where it cannot be done.
 */
#ifndef COFFER_DAEMON_UNITS_H
#define COFFER_DAEMON_UNITS_H

/* Enables and starts sockets and service; a daemon that runs sealed starts anew.  The exit status. */
int units_start(void);

/* Starts a daemon anew that runs, or tries to. */
int units_restart(void);

#endif
