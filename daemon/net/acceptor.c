/*
 * Accepts within limits and shares.
 *
 * P8: a flood of connections meets, in this order, the total, the kernel's word on the caller, its uid's
 * share and, when descriptors end, a spare one; each time it costs its sender a closed connection, and
 * none of it makes the loop spin.  Who calls is auth's word (P9), what connections do is conn.c's.
 */
#include "acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "listen.h"
#include "log.h"

enum {
	ACCEPTS_PER_WAKE = 64,
	BACK_OFF_MS = 100,
	COMPLAINT_MS = 60000,
	HANDLE_COUNT = 2,
};

static bool may_complain(struct acceptor *acceptor, enum complaint complaint)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t *last_ms = &acceptor->complained_ms[complaint];

	if (*last_ms != 0 && now_ms - *last_ms < COMPLAINT_MS)
		return false;
	*last_ms = now_ms;
	return true;
}

static void on_connection(uv_poll_t *handle, int status, int events);

static void on_resume(uv_timer_t *handle);

static void pause_accepting(struct acceptor *acceptor)
{
	uv_poll_stop(&acceptor->listener);
	uv_timer_start(&acceptor->resume, on_resume, BACK_OFF_MS, 0);
}

static void accept_on(struct acceptor *acceptor)
{
	if (uv_poll_start(&acceptor->listener, UV_READABLE, on_connection) != 0)
		pause_accepting(acceptor);
}

static int take_spare(int listen_fd)
{
	return fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
}

static void on_resume(uv_timer_t *handle)
{
	struct acceptor *acceptor = handle->data;

	if (acceptor->spare_fd < 0)
		acceptor->spare_fd = take_spare(acceptor->listen_fd);
	accept_on(acceptor);
}

/* The spare descriptor lets one caller in, to be told by a close that there is no room. */
static void shed_one(struct acceptor *acceptor)
{
	if (acceptor->spare_fd < 0)
		return;
	close(acceptor->spare_fd);

	int fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
	acceptor->spare_fd = take_spare(acceptor->listen_fd);
}

/* False ends this wake-up. */
static bool go_on_after(struct acceptor *acceptor, int error)
{
	if (error == EINTR || error == ECONNABORTED)
		return true;
	if (error == EAGAIN)
		return false;
	if (may_complain(acceptor, COMPLAINT_ACCEPT))
		log_warning("a connection cannot be accepted, trying again soon: %s",
			uv_strerror(uv_translate_sys_error(error)));
	if (error == EMFILE || error == ENFILE)
		shed_one(acceptor);
	pause_accepting(acceptor);
	return false;
}

static enum err admit_principal(struct acceptor *acceptor, int fd, struct principal *principal)
{
	struct conn_set *set = acceptor->set;
	bool is_privileged = core_is_privileged(set->core, principal);
	const char *reason = NULL;
	enum err err = shares_take(&set->shares, principal->uid, is_privileged, &reason);

	if (err != OK) {
		if (may_complain(acceptor, COMPLAINT_SHARE))
			log_warning("a connection of uid %u is refused: %s", principal->uid, reason);
		return err;
	}
	err = conn_new(set, fd, principal);
	if (err == OK)
		return OK;
	shares_give(&set->shares, principal->uid);
	if (may_complain(acceptor, COMPLAINT_CONN))
		log_error("a connection of uid %u cannot be set up: %s", principal->uid, err_text(err));
	return err;
}

static enum err admit(struct acceptor *acceptor, int fd)
{
	struct principal principal = {.pidfd = -1};
	const char *reason = NULL;

	/* Judged before any work is done for the caller. */
	if (shares_are_full(&acceptor->set->shares)) {
		if (may_complain(acceptor, COMPLAINT_FULL))
			log_warning("a connection is refused: all connections are taken");
		return ERR_BUSY;
	}

	enum err err = peer_identify(fd, &principal, &reason);

	if (err != OK) {
		if (may_complain(acceptor, COMPLAINT_IDENTITY))
			log_warning("a connection is refused: %s", reason);
		return err;
	}
	err = admit_principal(acceptor, fd, &principal);
	if (err != OK)
		peer_clear(&principal);
	return err;
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
	struct acceptor *acceptor = handle->data;

	(void)events;
	if (status < 0) {
		pause_accepting(acceptor);
		return;
	}
	for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
		int fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && !go_on_after(acceptor, errno))
			break;
		if (fd >= 0 && admit(acceptor, fd) != OK)
			close(fd);
	}
}

/* ---- beginning and end ---- */

static enum err init_handles(struct acceptor *acceptor, uv_loop_t *loop)
{
	/* Of the two only this can fail: then there is nothing to close. */
	if (uv_poll_init(loop, &acceptor->listener, acceptor->listen_fd) != 0)
		return ERR_INTERNAL;
	uv_timer_init(loop, &acceptor->resume);
	acceptor->listener.data = acceptor;
	acceptor->resume.data = acceptor;
	acceptor->open_handles = HANDLE_COUNT;
	return OK;
}

enum err acceptor_start(struct acceptor *acceptor, uv_loop_t *loop, int listen_fd, struct conn_set *set)
{
	if (!listen_is_usable(listen_fd))
		return ERR_CONFIG;
	*acceptor = (struct acceptor){.set = set, .listen_fd = listen_fd, .spare_fd = take_spare(listen_fd)};
	if (acceptor->spare_fd < 0)
		return ERR_INTERNAL;

	enum err err = init_handles(acceptor, loop);

	if (err != OK) {
		close(acceptor->spare_fd);
		return err;
	}
	accept_on(acceptor);
	return OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct acceptor *acceptor = handle->data;

	if (--acceptor->open_handles == 0)
		acceptor->closed(acceptor);
}

void acceptor_close(struct acceptor *acceptor, void (*closed)(struct acceptor *acceptor))
{
	acceptor->closed = closed;
	uv_close((uv_handle_t *)&acceptor->listener, on_handle_closed);
	uv_close((uv_handle_t *)&acceptor->resume, on_handle_closed);
	close(acceptor->listen_fd);
	if (acceptor->spare_fd >= 0)
		close(acceptor->spare_fd);
}
