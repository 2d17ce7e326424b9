/*
 * A queue: requests that one connection wants done together.  It is in memory only, and goes with its connection.
 */
#ifndef COFFER_CORE_QUEUE_H
#define COFFER_CORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "request.h"
#include "text.h"

enum { QUEUE_BYTES_MAX = 1048576, QUEUE_STEPS_MAX = 4096, QUEUES_MAX = 8 };

struct step {
	size_t at; /* of its line in the queue's lines */
	size_t len;
	enum request_kind kind;
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	int64_t expect_changed_ms; /* 0: whenever it was changed */
	bool is_waiting; /* for a second person, as the run has found */
};

struct queue {
	unsigned *held; /* how many there are; not owned */
	struct buf lines;
	struct step *steps;
	size_t count;
	size_t cap;
	size_t waiting; /* steps that are */
};

/* ERR_BUSY: there are QUEUES_MAX.  ERR_INTERNAL: no memory.  held must outlive it. */
enum err queue_new(unsigned *held, struct queue **out);
void queue_free(struct queue *queue); /* NULL is fine */

/* Takes a copy of the line; step->at and step->len are set here.  ERR_TOO_LARGE: it is full.  ERR_INTERNAL: no memory. */
enum err queue_add(struct queue *queue, const struct step *step, const char *line, size_t len);

const char *queue_line(const struct queue *queue, const struct step *step);

#endif
