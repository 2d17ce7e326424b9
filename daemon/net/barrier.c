/*
 * A connection is answered only when the service manager has it (P5).  Its messages go out in order, so one barrier behind
 * several of them stands for all.  A manager that says nothing costs each unit a refusal, and never us a wait; it is given
 * five seconds, as by systemd-notify(1), because it may be reading all its units anew.
 */
#include "barrier.h"

#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

enum { SILENCE_MS = 5000 };

struct barrier {
	uv_poll_t poll;
	struct handouts *set;
	int fd;
};

int64_t barrier_deadline_ms(void)
{
	return clock_monotonic_ms() + SILENCE_MS;
}

/* ---- the end of one ---- */

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void barrier_drop(struct handouts *set)
{
	struct barrier *barrier = set->barrier;

	if (barrier == NULL)
		return;
	set->barrier = NULL;
	uv_close((uv_handle_t *)&barrier->poll, on_closed);
	close(barrier->fd);
}

static void on_passed(uv_poll_t *handle, int status, int events)
{
	struct barrier *barrier = handle->data;
	struct handouts *set = barrier->set;
	struct handout *handout = NULL;

	(void)events;
	if (status == 0)
		while ((handout = TAILQ_FIRST(&set->queues[HANDOUT_BEHIND])) != NULL) {
			handout->is_kept = true;
			handout_move(handout, HANDOUT_READY);
		}
	barrier_drop(set);
	barrier_advance(set);
}

/* ---- the beginning of one ---- */

/* Owns fd. */
static enum err watch(struct handouts *set, int fd)
{
	struct barrier *barrier = calloc(1, sizeof(*barrier));

	if (barrier == NULL || uv_poll_init(set->loop, &barrier->poll, fd) != 0) {
		free(barrier);
		close(fd);
		return ERR_INTERNAL;
	}
	barrier->poll.data = barrier;
	barrier->set = set;
	barrier->fd = fd;
	set->barrier = barrier;
	if (uv_poll_start(&barrier->poll, UV_READABLE, on_passed) == 0)
		return OK;
	barrier_drop(set);
	return ERR_INTERNAL;
}

static void tell(struct handouts *set)
{
	struct handout *handout = NULL;

	while ((handout = TAILQ_FIRST(&set->queues[HANDOUT_NEW])) != NULL) {
		if (fd_store_put(&set->store, handout->fd, handout->id) != OK)
			return;
		handout_move(handout, HANDOUT_TOLD);
	}
}

void barrier_advance(struct handouts *set)
{
	struct handout *handout = NULL;
	int fd = -1;

	tell(set);
	if (set->barrier != NULL || TAILQ_EMPTY(&set->queues[HANDOUT_TOLD]))
		return;
	if (fd_store_barrier(&set->store, &fd) != OK || watch(set, fd) != OK)
		return;
	while ((handout = TAILQ_FIRST(&set->queues[HANDOUT_TOLD])) != NULL) {
		handout->deadline_ms = barrier_deadline_ms();
		handout_move(handout, HANDOUT_BEHIND);
	}
}

/* ---- time ---- */

static void refuse_overdue(struct handouts *set, enum handout_state state, int64_t now_ms)
{
	struct handout *handout = NULL;

	while ((handout = TAILQ_FIRST(&set->queues[state])) != NULL && now_ms >= handout->deadline_ms)
		handout_refuse(
			handout, ERR_BUSY, "the service manager does not say that it keeps the connection");
}

void barrier_sweep(struct handouts *set, int64_t now_ms)
{
	refuse_overdue(set, HANDOUT_NEW, now_ms);
	refuse_overdue(set, HANDOUT_TOLD, now_ms);
	refuse_overdue(set, HANDOUT_BEHIND, now_ms);
	if (TAILQ_EMPTY(&set->queues[HANDOUT_BEHIND]))
		barrier_drop(set);
	barrier_advance(set);
}
