/*
 * Makes the socket that everybody may connect to and nobody else may replace.
 *
 * P8: the directory belongs to root or to us and nobody else may write to it, so nothing can be put at the
 * path between our steps; nothing but a dead socket of our own is ever removed.  The mode is never wider
 * than 0666, and all of it is in place before listen(2), so nobody connects to half a socket.  Two daemons
 * that start on one vault at once are kept apart by the store's lock, before either comes here.  Who may
 * do what is not the file's mode's business: the kernel says who calls (P9).
 */
#include "server.h"
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_MODE = 0666 };

#define REASON_LENGTH "the path of the socket is too long or names no file"
#define REASON_NO_DIRECTORY "the directory of the socket cannot be opened"
#define REASON_DIRECTORY_OWNER "the directory of the socket belongs to neither root nor this user"
#define REASON_DIRECTORY_MODE "others may write to the directory of the socket"
#define REASON_FOREIGN "something that is not a socket of this user is at the path of the socket"
#define REASON_ALIVE "another daemon serves the socket"
#define REASON_STALE "the old socket cannot be removed"
#define REASON_SOCKET "the socket cannot be made"
#define REASON_BIND "the socket cannot be bound to its path"
#define REASON_MODE "the socket's file did not get its mode"
#define REASON_LISTEN "the socket cannot listen"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

/* The path, and the directory it is in; the name is looked up there and nowhere else. */
struct place {
	struct sockaddr_un address;
	const char *name; /* in address */
	int directory;
};

static void close_place(const struct place *place)
{
	close_fd(&place->directory);
}

#define PLACE_AUTO __attribute__((cleanup(close_place))) struct place

static const char *find_place(const char *path, struct place *place)
{
	char directory[sizeof(place->address.sun_path)] = ".";
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(place->address.sun_path) || path[len - 1] == '/')
		return REASON_LENGTH;
	place->address.sun_family = AF_UNIX;
	memcpy(place->address.sun_path, path, len + 1);
	place->name = place->address.sun_path;

	const char *slash = strrchr(place->address.sun_path, '/');

	if (slash != NULL) {
		size_t directory_len =
			slash == place->address.sun_path ? 1 : (size_t)(slash - place->address.sun_path);

		memcpy(directory, path, directory_len);
		directory[directory_len] = '\0';
		place->name = slash + 1;
	}
	place->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return place->directory < 0 ? REASON_NO_DIRECTORY : NULL;
}

static const char *check_directory(const struct place *place)
{
	struct stat stat = {0};

	if (fstat(place->directory, &stat) != 0)
		return REASON_NO_DIRECTORY;
	if (stat.st_uid != 0 && stat.st_uid != geteuid())
		return REASON_DIRECTORY_OWNER;
	if ((stat.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return REASON_DIRECTORY_MODE;
	return NULL;
}

static bool look(const struct place *place, struct stat *out)
{
	return fstatat(place->directory, place->name, out, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_our_socket(const struct stat *stat)
{
	return S_ISSOCK(stat->st_mode) && stat->st_uid == geteuid();
}

static int connect_to(const struct place *place)
{
	FD_AUTO fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (const struct sockaddr *)&place->address, sizeof(place->address)) == 0 ? 0 : errno;
}

/* Whoever answers, or is too busy to, is alive; only a refused connection is proof of a dead one. */
static const char *clear_path(const struct place *place)
{
	struct stat found = {0};
	struct stat again = {0};

	if (!look(place, &found))
		return errno == ENOENT ? NULL : REASON_STALE;
	if (!is_our_socket(&found))
		return REASON_FOREIGN;
	if (connect_to(place) != ECONNREFUSED)
		return REASON_ALIVE;
	if (!look(place, &again) || again.st_dev != found.st_dev || again.st_ino != found.st_ino)
		return REASON_ALIVE;
	return unlinkat(place->directory, place->name, 0) == 0 ? NULL : REASON_STALE;
}

/*
 * bind(2) gives the file the socket's mode less the umask.  Set before, it cannot be wider than wanted;
 * what the umask took is added before listen(2).  The path is safe to use: only root and we write to its
 * directory.
 */
static const char *bind_to(int fd, const struct place *place)
{
	struct stat made = {0};

	if (fchmod(fd, SOCKET_MODE) != 0)
		return REASON_SOCKET;
	if (bind(fd, (const struct sockaddr *)&place->address, sizeof(place->address)) != 0)
		return REASON_BIND;
	if (fchmodat(place->directory, place->name, SOCKET_MODE, 0) != 0)
		return REASON_MODE;
	if (!look(place, &made) || !is_our_socket(&made) || (made.st_mode & 07777) != SOCKET_MODE)
		return REASON_MODE;
	return listen(fd, SOMAXCONN) == 0 ? NULL : REASON_LISTEN;
}

static const char *make_socket(const char *path, int *fd_out)
{
	PLACE_AUTO place = {.directory = -1};
	const char *reason = find_place(path, &place);

	if (reason == NULL)
		reason = check_directory(&place);
	if (reason == NULL)
		reason = clear_path(&place);
	if (reason != NULL)
		return reason;

	FD_AUTO fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return REASON_SOCKET;
	reason = bind_to(fd, &place);
	if (reason != NULL)
		return reason;
	*fd_out = fd;
	fd = -1;
	return NULL;
}

enum err server_listen(const char *path, int *fd_out, const char **reason_out)
{
	const char *reason = make_socket(path, fd_out);

	if (reason == NULL)
		return OK;
	*reason_out = reason;
	return ERR_CONFIG;
}

/* ---- the file of a socket that listens ---- */

static bool has_option(int fd, int option, int wanted)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

bool listen_is_usable(int fd)
{
	return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_STREAM) &&
	       has_option(fd, SO_ACCEPTCONN, 1);
}

/* On a listening socket the kernel keeps the credentials of the process that called listen(2). */
static bool did_we_listen(int fd)
{
	struct ucred maker = {0};
	socklen_t len = sizeof(maker);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &len) == 0 && maker.pid == getpid();
}

void listen_file_find(int fd, struct listen_file *out)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);
	struct stat stat = {0};

	*out = (struct listen_file){0};
	if (!did_we_listen(fd) || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return;
	memcpy(out->path, address.sun_path, sizeof(address.sun_path));
	if (out->path[0] == '\0' || lstat(out->path, &stat) != 0 || !S_ISSOCK(stat.st_mode))
		return;
	out->device = stat.st_dev;
	out->inode = stat.st_ino;
	out->is_ours = true;
}

void listen_file_remove(struct listen_file *file)
{
	struct stat stat = {0};

	if (!file->is_ours)
		return;
	file->is_ours = false;
	if (lstat(file->path, &stat) != 0 || stat.st_dev != file->device || stat.st_ino != file->inode)
		return;
	(void)unlinkat(AT_FDCWD, file->path, 0);
}
