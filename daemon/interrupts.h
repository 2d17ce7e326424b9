/*
 * Signals that end a process, put off while it makes what must be whole: asked for before the last step, and answered by
 * their own effect once it is done or taken back.
 */
#ifndef COFFER_DAEMON_INTERRUPTS_H
#define COFFER_DAEMON_INTERRUPTS_H

#include <signal.h>
#include <stdbool.h>

/* Those that are ignored stay so.  The programs that child_run starts are not kept from them. */
void interrupts_hold(sigset_t *before_out);
bool interrupts_wait(void); /* one has come since */
void interrupts_release(const sigset_t *before);

#endif
