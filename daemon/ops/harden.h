/*
 * What the process gives up before it reads a key: dumps, swap, inherited descriptors and environment (P1).
 */
#ifndef COFFER_OPS_HARDEN_H
#define COFFER_OPS_HARDEN_H

#include <stdbool.h>

#include "err.h"

/*
 * Not dumpable; RLIMIT_CORE 0, or 1 where core_pattern names a handler, which runs despite 0 (core(5));
 * descriptors 0–2 open, all others but the first keep_fds after them closed; environment reduced to what
 * cofferd reads; the soft limit of descriptors raised to the hard one; locale C; umask 077; SIGPIPE ignored.  ERR_INTERNAL when any of it fails.
 */
enum err harden_process(int keep_fds);

/*
 * Locks what is mapped now and later (mlockall with MCL_ONFAULT).  need_bytes is the sum of the locked
 * pools: when RLIMIT_MEMLOCK cannot hold them it fails with a sentence in reason_out that names the setting.
 * With may_swap it goes on, and reason_out tells why memory is not locked; NULL when it is.
 */
enum err harden_memory(unsigned long need_bytes, bool may_swap, const char **reason_out);

#endif
