/*
 * The ways out of a program whose output is masked: what comes from it is read, masked and written on, without ever
 * blocking.
 */
#ifndef COFFER_CLI_OUTPUTS_H
#define COFFER_CLI_OUTPUTS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "locked.h"
#include "mask.h"

enum { OUTPUTS_MAX = 2, OUTPUT_FDS = 2 * OUTPUTS_MAX };

/* The program's stdout, its stderr, or both where they are one. */
struct output {
	int from; /* -1: at its end */
	int held; /* of a terminal, the program's end: kept open, else the terminal would end with every close */
	int to; /* -1: nobody reads it any more */
	struct mask_stream *stream;
	struct locked memory; /* of ready: what is too short to be masked may be in it */
	struct buf ready; /* [written, len) is still to be written */
	size_t written;
	int64_t idle_at_ms;
};

struct outputs {
	struct output list[OUTPUTS_MAX];
	size_t count;
	size_t longest; /* bytes of the longest value; to be set before the first is added */
	struct locked chunk; /* what has just been read, not yet masked */
	bool keeps_from; /* a reader who is gone does not close the program's end: inside a terminal that would be a hangup */
};

/* Another way, of these descriptors, which are then its own but for to.  ERR_INTERNAL: no memory. */
enum err outputs_add(struct outputs *outputs, const struct mask *mask, const struct output *ends);

/* What to wait for, and what to do when the wait is over; true when anything moved. */
void outputs_ask(const struct outputs *outputs, struct pollfd fds[OUTPUT_FDS]);
bool outputs_carry(struct outputs *outputs, const struct pollfd fds[OUTPUT_FDS]);

/* When outputs_carry is to be called at the latest; NEVER_MS: no matter. */
int64_t outputs_deadline(const struct outputs *outputs);

/* Carries what is there while the program is stopped; not for long, whoever reads it. */
void outputs_settle(struct outputs *outputs);

/*
 * Carries what is left after the program's end.  Waits for our reader as long as that takes; but what others write, who
 * have the output from the program, is carried for two seconds at most.
 */
void outputs_finish(struct outputs *outputs);

/* Wipes, closes.  Fine on {0}. */
void outputs_clear(struct outputs *outputs);

#endif
