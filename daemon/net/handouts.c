/*
 * Accepts only what it can see through: with no memory, no descriptor, no room in the manager's queue or enough connections
 * under way, the next ones wait in the backlog, where no end can come to them (P5).  A few are answered in each turn of the loop, so
 * that a hundred units that start at once neither hold up other callers nor need more locked memory than there is (P1).
 */
#include "handouts.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "barrier.h"
#include "clock.h"
#include "listen.h"
#include "log.h"

enum {
	MOST = 24, /* at once, with two descriptors each: fewer than config_within_descriptors keeps */
	ASKED_PER_TURN = 8,
	SWEEP_MS = 100,
	COMPLAINT_MS = 60000,
};

/* ---- accepting ---- */

static void on_sweep(uv_timer_t *handle)
{
	struct handouts *set = handle->data;

	/* In the turn, after what has arrived: the loop may have been away for long. */
	set->must_sweep = true;
	if (set->count == 0 && !set->is_paused)
		uv_timer_stop(&set->sweep);
}

static void start_sweeping(struct handouts *set)
{
	if (!uv_is_active((uv_handle_t *)&set->sweep))
		uv_timer_start(&set->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

static void pause_accepting(struct handouts *set)
{
	uv_poll_stop(&set->listener);
	set->is_paused = true;
	start_sweeping(set);
}

static void complain(struct handouts *set, int error)
{
	int64_t now_ms = clock_monotonic_ms();

	if (set->complained_ms != 0 && now_ms - set->complained_ms < COMPLAINT_MS)
		return;
	set->complained_ms = now_ms;
	log_warning("units wait for credentials, no connection can be accepted: %s",
		uv_strerror(uv_translate_sys_error(error)));
}

/* Nothing stands between accept and the message: only a kill there can end a connection. */
static bool accept_one(struct handouts *set, struct handout *handout)
{
	int fd = accept4(set->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	enum err told = fd >= 0 ? fd_store_put(&set->store, fd, handout->id) : OK;

	if (fd < 0 && errno != EAGAIN) {
		complain(set, errno);
		pause_accepting(set);
	}
	if (fd < 0)
		return false;
	handout->deadline_ms = barrier_deadline_ms();
	if (handout_begin(handout, fd, told == OK ? HANDOUT_TOLD : HANDOUT_NEW) == OK)
		return true;
	log_error("a connection for credentials cannot be watched and is left to the service manager");
	close(fd);
	return false;
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
	struct handouts *set = handle->data;
	bool has_accepted = status == 0;

	(void)events;
	while (has_accepted && set->count < MOST && fd_store_has_room(&set->store)) {
		struct handout *handout = handout_new(set);

		has_accepted = handout != NULL && accept_one(set, handout);
		if (!has_accepted)
			handout_free(handout);
		if (handout == NULL)
			pause_accepting(set);
	}
	if (has_accepted || status != 0) /* there may be more, but not for now */
		pause_accepting(set);
	if (set->count > 0)
		start_sweeping(set);
	barrier_advance(set);
}

static void accept_on(struct handouts *set)
{
	if (set->listen_fd < 0 || set->is_stopping)
		return;
	set->is_paused = set->count >= MOST || uv_poll_start(&set->listener, UV_READABLE, on_connection) != 0;
}

void handouts_released(struct handouts *set)
{
	set->count--;
	if (set->is_paused)
		accept_on(set);
	set->gone(set);
}

/* ---- the turn ---- */

static void leave_overdue(struct handouts *set, int64_t now_ms)
{
	struct handout *next = NULL;

	for (struct handout *handout = TAILQ_FIRST(&set->queues[HANDOUT_SENDING]); handout != NULL;
		handout = next) {
		next = TAILQ_NEXT(handout, queue);
		if (now_ms >= handout->deadline_ms)
			handout_leave(handout, "nobody reads");
	}
}

void handouts_take_turn(struct handouts *set)
{
	if (set->must_sweep) {
		int64_t now_ms = clock_monotonic_ms();

		set->must_sweep = false;
		barrier_sweep(set, now_ms);
		leave_overdue(set, now_ms);
		if (set->is_paused)
			accept_on(set);
	}
	for (int i = 0; i < ASKED_PER_TURN && handouts_have_ready(set); i++)
		handout_ask(TAILQ_FIRST(&set->queues[HANDOUT_READY]));
}

bool handouts_have_ready(const struct handouts *set)
{
	return set->open_handles > 0 && !TAILQ_EMPTY(&set->queues[HANDOUT_READY]);
}

/* ---- beginning and end ---- */

static void take_back(struct handouts *set, const struct fd_store_entry *entry)
{
	struct handout *handout = handout_new(set);

	if (handout != NULL) {
		handout->is_kept = true;
		for (size_t i = 0; i < sizeof(handout->id); i++)
			handout->id[i] = entry->id[i];
		if (handout_begin(handout, entry->fd, HANDOUT_READY) == OK)
			return;
		handout_free(handout);
	}
	log_error(
		"a connection for credentials that came back is left to the service manager: out of memory");
	close(entry->fd);
}

static enum err start_handles(struct handouts *set, int listen_fd)
{
	if (listen_fd >= 0 && !listen_is_usable(listen_fd))
		return ERR_CONFIG;
	/* Of the two only this can fail: then there is nothing to close. */
	if (listen_fd >= 0 && uv_poll_init(set->loop, &set->listener, listen_fd) != 0)
		return ERR_INTERNAL;
	uv_timer_init(set->loop, &set->sweep);
	set->listen_fd = listen_fd;
	set->listener.data = set;
	set->sweep.data = set;
	set->open_handles = listen_fd >= 0 ? 2 : 1;
	return OK;
}

enum err handouts_start(struct handouts *set, int listen_fd, const struct fd_store_entry *back, size_t count)
{
	enum err err = fd_store_open(&set->store);

	if (err != OK)
		return err;
	err = start_handles(set, listen_fd);
	if (err != OK) {
		fd_store_close(&set->store);
		return err;
	}
	for (size_t i = 0; i < HANDOUT_STATES; i++)
		TAILQ_INIT(&set->queues[i]);
	for (size_t i = 0; i < count; i++)
		take_back(set, &back[i]);
	if (count > 0)
		start_sweeping(set);
	accept_on(set);
	return OK;
}

void handouts_stop(struct handouts *set)
{
	if (set->open_handles == 0)
		return;
	set->is_stopping = true;
	set->is_paused = false;
	if (set->listen_fd >= 0)
		uv_poll_stop(&set->listener);
}

void handouts_leave(struct handouts *set)
{
	if (set->open_handles == 0)
		return;
	for (size_t i = 0; i < HANDOUT_ENDED; i++) {
		struct handout *next = NULL;

		for (struct handout *handout = TAILQ_FIRST(&set->queues[i]); handout != NULL;
			handout = next) {
			next = TAILQ_NEXT(handout, queue);
			handout_leave(handout, "the daemon stops");
		}
	}
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct handouts *set = handle->data;

	if (--set->open_handles == 0)
		set->closed(set);
}

void handouts_close(struct handouts *set, void (*closed)(struct handouts *set))
{
	set->closed = closed;
	barrier_drop(set);
	if (set->listen_fd >= 0) {
		uv_close((uv_handle_t *)&set->listener, on_handle_closed);
		close(set->listen_fd);
	}
	uv_close((uv_handle_t *)&set->sweep, on_handle_closed);
	fd_store_close(&set->store);
}
