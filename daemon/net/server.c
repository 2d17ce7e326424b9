/*
 * Keeps the turn: what arrived in one turn of the loop shares one commit, and replies leave after it
 * (P5).  And the beginning and the end of serving.  Who gets in is acceptor.c's, what connections do is
 * conn.c's, credentials of units are handouts.c's, what a line means is core's.
 */
#include "server.h"

#include <stddef.h>
#include <stdlib.h>

#include "acceptor.h"
#include "clock.h"
#include "conn_set.h"
#include "handouts.h"
#include "listen.h"
#include "log.h"

enum {
	SWEEP_MS = 250,
	/*
	 * Who had asked before the stop gets an answer: between the second check from then on and the first there was a whole
	 * poll phase, in which everything that had arrived was read.
	 */
	LAST_READS = 2,
};

struct server {
	struct conn_set conns;
	struct acceptor acceptor;
	struct handouts handouts;
	struct listen_file file;
	uv_check_t check;
	uv_idle_t awake; /* runs while the next turn has work already */
	uv_timer_t sweep; /* runs while there are connections */
	uv_timer_t drain; /* runs while stopping */
	bool must_sweep;
	bool has_handouts;
	int open_parts; /* the acceptor, the handouts and the handles above */
	bool is_stopping;
	int last_reads; /* checks until whoever has asked nothing is closed */
	server_stopped_fn *done;
	void *done_arg;
};

/* ---- the turn ---- */

static void on_awake(uv_idle_t *handle)
{
	(void)handle; /* that it runs keeps the loop from waiting in its poll phase */
}

static void on_sweep(uv_timer_t *handle)
{
	struct server *server = handle->data;

	server->must_sweep = true;
	if (server_connection_count(server) == 0)
		uv_timer_stop(&server->sweep);
}

static void on_check(uv_check_t *handle)
{
	struct server *server = handle->data;
	struct conn_set *set = &server->conns;

	/*
	 * Timers run before the poll phase: after a slow commit they would close clients whose bytes have long
	 * been waiting in the socket.  Here everything that had arrived has been read.
	 */
	if (server->must_sweep)
		conn_set_sweep(set, clock_monotonic_ms());
	server->must_sweep = false;
	conn_set_handle_ready(set);
	handouts_take_turn(&server->handouts);
	if (turn_is_open(set->turn))
		turn_end(set->turn);
	if (server->last_reads > 0 && --server->last_reads == 0)
		conn_set_close_unasked(set);
	if (uv_is_closing((uv_handle_t *)handle)) /* the turn's end was the server's */
		return;
	if (conn_set_has_ready(set) || handouts_have_ready(&server->handouts) || turn_is_open(set->turn) ||
		server->last_reads > 0)
		uv_idle_start(&server->awake, on_awake);
	else
		uv_idle_stop(&server->awake);
	if (server_connection_count(server) > 0 && !uv_is_active((uv_handle_t *)&server->sweep))
		uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

/* ---- the end ---- */

static void part_closed(struct server *server)
{
	if (--server->open_parts == 0)
		server->done(server->done_arg);
}

static void on_handle_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

static void on_acceptor_closed(struct acceptor *acceptor)
{
	part_closed((struct server *)(void *)((char *)acceptor - offsetof(struct server, acceptor)));
}

static void on_handouts_closed(struct handouts *handouts)
{
	part_closed((struct server *)(void *)((char *)handouts - offsetof(struct server, handouts)));
}

static bool is_empty(const struct server *server)
{
	return server_connection_count(server) == 0 && server->handouts.count == 0;
}

/* Nobody is connected any more; what the last ones left to be recorded is recorded now. */
static void finish(struct server *server)
{
	if (turn_is_open(server->conns.turn))
		turn_end(server->conns.turn);
	if (server->has_handouts)
		handouts_close(&server->handouts, on_handouts_closed);
	uv_close((uv_handle_t *)&server->check, on_handle_closed);
	uv_close((uv_handle_t *)&server->awake, on_handle_closed);
	uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
	uv_close((uv_handle_t *)&server->drain, on_handle_closed);
}

static void finish_when_empty(struct server *server)
{
	if (server->is_stopping && is_empty(server))
		finish(server);
}

static void on_gone(struct conn_set *set)
{
	finish_when_empty((struct server *)(void *)((char *)set - offsetof(struct server, conns)));
}

static void on_handout_gone(struct handouts *handouts)
{
	finish_when_empty((struct server *)(void *)((char *)handouts - offsetof(struct server, handouts)));
}

static void on_drain_over(uv_timer_t *handle)
{
	struct server *server = handle->data;

	conn_set_close(&server->conns);
	handouts_leave(&server->handouts);
}

void server_stop(struct server *server, int64_t drain_ms, server_stopped_fn *done, void *arg)
{
	if (server->is_stopping)
		return;
	server->is_stopping = true;
	server->done = done;
	server->done_arg = arg;
	listen_file_remove(&server->file);
	acceptor_close(&server->acceptor, on_acceptor_closed);
	conn_set_drain(&server->conns);
	server->last_reads = LAST_READS;
	uv_idle_start(&server->awake, on_awake);
	handouts_stop(&server->handouts);
	if (is_empty(server))
		finish(server);
	else
		uv_timer_start(&server->drain, on_drain_over, (uint64_t)(drain_ms > 0 ? drain_ms : 0), 0);
}

void server_free(struct server *server)
{
	if (server == NULL)
		return;
	conn_set_deinit(&server->conns);
	free(server);
}

/* ---- the beginning ---- */

/* More connections than there are descriptors would cost the store its own. */
static struct config_limits what_descriptors_allow(const struct config_limits *limits)
{
	struct config_limits allowed = config_within_descriptors(limits);

	if (allowed.connections < limits->connections)
		log_warning("RLIMIT_NOFILE is too low: at most %lld connections instead of %lld",
			(long long)allowed.connections, (long long)limits->connections);
	return allowed;
}

static void start_handles(struct server *server, uv_loop_t *loop)
{
	/* None of these can fail. */
	uv_check_init(loop, &server->check);
	uv_idle_init(loop, &server->awake);
	uv_timer_init(loop, &server->sweep);
	uv_timer_init(loop, &server->drain);
	server->check.data = server;
	server->awake.data = server;
	server->sweep.data = server;
	server->drain.data = server;
	server->open_parts = 5;
	uv_check_start(&server->check, on_check);
}

static void free_server(struct server **server)
{
	server_free(*server);
}

enum err server_start(uv_loop_t *loop, int listen_fd, struct core *core, const struct config_limits *limits,
	bool may_swap, struct server **out)
{
	__attribute__((cleanup(free_server))) struct server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return ERR_INTERNAL;

	struct config_limits allowed = what_descriptors_allow(limits);
	enum err err = conn_set_init(&server->conns, loop, core, &allowed, may_swap);

	if (err == OK)
		err = acceptor_start(&server->acceptor, loop, listen_fd, &server->conns);
	if (err != OK)
		return err;
	server->conns.gone = on_gone;
	listen_file_find(listen_fd, &server->file);
	start_handles(server, loop);
	*out = server;
	server = NULL;
	return OK;
}

enum err server_hand_out(
	struct server *server, int listen_fd, const struct fd_store_entry *back, size_t count)
{
	server->handouts = (struct handouts){.loop = server->conns.loop,
		.core = server->conns.core,
		.limits = &server->conns.limits,
		.gone = on_handout_gone};

	enum err err = handouts_start(&server->handouts, listen_fd, back, count);

	server->has_handouts = err == OK;
	server->open_parts += err == OK ? 1 : 0;
	return err;
}

void server_set_limits(struct server *server, const struct config_limits *limits)
{
	struct config_limits allowed = what_descriptors_allow(limits);
	enum err err = shares_resize(
		&server->conns.shares, (size_t)allowed.connections, (size_t)allowed.connections_reserved);

	if (err == OK)
		server->conns.limits = allowed;
	else
		log_error("the new limits are not in force: %s", err_text(err));
}

size_t server_connection_count(const struct server *server)
{
	return server->conns.shares.total;
}
