/*
 * The queue's memory and its limits.  P8: a few queues of bounded size in all, so that nobody's steps cost others theirs.
 */
#include "queue.h"

#include <stdlib.h>

enum err queue_new(unsigned *held, struct queue **out)
{
	struct queue *queue = NULL;

	if (*held >= QUEUES_MAX)
		return ERR_BUSY;
	queue = calloc(1, sizeof(*queue));
	if (queue == NULL)
		return ERR_INTERNAL;
	queue->held = held;
	++*held;
	*out = queue;
	return OK;
}

void queue_free(struct queue *queue)
{
	if (queue == NULL)
		return;
	--*queue->held;
	buf_clear(&queue->lines);
	free(queue->steps);
	free(queue);
}

static enum err make_room(struct queue *queue)
{
	size_t cap = queue->cap == 0 ? 16 : 2 * queue->cap;
	struct step *steps = NULL;

	if (queue->count < queue->cap)
		return OK;
	steps = reallocarray(queue->steps, cap, sizeof(*steps));
	if (steps == NULL)
		return ERR_INTERNAL;
	queue->steps = steps;
	queue->cap = cap;
	return OK;
}

enum err queue_add(struct queue *queue, const struct step *step, const char *line, size_t len)
{
	if (queue->count >= QUEUE_STEPS_MAX || len > QUEUE_BYTES_MAX - queue->lines.len)
		return ERR_TOO_LARGE;

	size_t at = queue->lines.len;
	enum err err = make_room(queue);

	if (err != OK)
		return err;
	buf_append(&queue->lines, line, len);
	if (buf_failed(&queue->lines))
		return ERR_INTERNAL;
	queue->steps[queue->count] = *step;
	queue->steps[queue->count].at = at;
	queue->steps[queue->count].len = len;
	queue->count++;
	return OK;
}

const char *queue_line(const struct queue *queue, const struct step *step)
{
	return queue->lines.bytes + step->at;
}
