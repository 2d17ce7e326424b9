/*
 * The service manager's side of the process: readiness (sd_notify(3)), watchdog, signals as a descriptor.  What it
 * hands over is in handover.h, what it keeps for us in fd_store.h.  Our own forty lines; no libsystemd.
 */
#ifndef COFFER_OPS_SERVICE_H
#define COFFER_OPS_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/*
 * A socket connected to the manager's, non-blocking; -1 without NOTIFY_SOCKET.  Connected, because only then poll waits for
 * room in the manager's queue.
 */
int service_connect(void);

bool service_is_managed(void); /* NOTIFY_SOCKET is set: somebody waits for us, and starts us again */

/* Sends e.g. "READY=1\nSTATUS=…"; silent without NOTIFY_SOCKET.  Never blocks for long. */
void service_notify(const char *state);

/* The line of `systemctl status`, escaped and cut; sent only when it is another one than the last. */
__attribute__((format(printf, 1, 2))) void service_status(const char *format, ...);

/* A reload begins, and ends with READY=1: until then nothing that was ordered after it is done. */
void service_notify_reloading(void);

/* A start that takes long is alive: another minute, asked for at most once in ten seconds. */
void service_extend_start(void);

/* Interval at which WATCHDOG=1 is due, in ms (half of WATCHDOG_USEC); 0: no watchdog. */
long service_watchdog_ms(void);

/* Blocks TERM, INT, HUP and returns a signalfd for them; -1 on failure. */
int service_signal_fd(void);

/* Of a variable: a canonical decimal number from 1 to most; 0 for anything else. */
uint64_t service_number(const char *text, uint64_t most);

/* Variables are inherited: those for another process must not be taken for ours. */
bool service_is_ours(const char *variable);

#endif
