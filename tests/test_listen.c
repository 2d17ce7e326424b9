/* The socket's place: what is refused there, what is replaced, and what its file looks like. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"
#include "unit.h"

static char directory[64];
static char path[100];
static const char *reason;

static void set_up(void)
{
	snprintf(directory, sizeof(directory), "%s", "/tmp/coffer-listen-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	reason = NULL;
}

static void tear_down(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

static enum err try_listen(const char *at, int *fd)
{
	*fd = -1;
	return server_listen(at, fd, &reason);
}

static void expect_refusal(const char *at, const char *why)
{
	int fd = -1;

	ck_assert_int_eq(try_listen(at, &fd), ERR_CONFIG);
	ck_assert_int_eq(fd, -1);
	ck_assert_str_eq(reason, why);
}

static int connect_to(const char *at)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", at);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

START_TEST(listen_refuses_a_path_that_does_not_fit)
{
	char at[200] = "";

	set_up();
	memset(at, 'x', sizeof(at) - 1);
	memcpy(at, directory, strlen(directory));
	at[strlen(directory)] = '/';
	expect_refusal(at, "the path of the socket is too long or names no file");
	at[108] = '\0';
	expect_refusal(at, "the path of the socket is too long or names no file");
	expect_refusal("", "the path of the socket is too long or names no file");
	at[strlen(directory) + 1] = '\0';
	expect_refusal(at, "the path of the socket is too long or names no file");
	tear_down();
}
END_TEST

START_TEST(listen_refuses_a_directory_that_is_not_there)
{
	char at[128] = "";

	set_up();
	snprintf(at, sizeof(at), "%s/none/s", directory);
	expect_refusal(at, "the directory of the socket cannot be opened");
	tear_down();
}
END_TEST

START_TEST(listen_refuses_a_directory_that_others_may_write_to)
{
	static const mode_t modes[] = {0770, 0707, 01777, 0720, 0702};

	set_up();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ck_assert_int_eq(chmod(directory, modes[i]), 0);
		expect_refusal(path, "others may write to the directory of the socket");
	}
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(chmod(directory, 0700), 0);
	tear_down();
}
END_TEST

START_TEST(listen_refuses_a_directory_of_somebody_else)
{
	if (geteuid() != 0)
		return;
	set_up();
	ck_assert_int_eq(chown(directory, 12345, 12345), 0);
	expect_refusal(path, "the directory of the socket belongs to neither root nor this user");
	tear_down();
}
END_TEST

static void expect_untouched(const char *why)
{
	struct stat before = {0};
	struct stat after = {0};

	ck_assert_int_eq(lstat(path, &before), 0);
	expect_refusal(path, why);
	ck_assert_int_eq(lstat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_uint_eq(before.st_mode, after.st_mode);
	ck_assert_int_eq(remove(path), 0);
}

START_TEST(listen_refuses_and_leaves_whatever_is_no_socket_of_ours)
{
	static const char why[] = "something that is not a socket of this user is at the path of the socket";

	set_up();
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	expect_untouched(why);
	ck_assert_int_eq(symlink("elsewhere", path), 0);
	expect_untouched(why);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	expect_untouched(why);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_untouched(why);
	if (geteuid() == 0) {
		ck_assert_int_eq(mknod(path, S_IFSOCK | 0600, 0), 0);
		ck_assert_int_eq(chown(path, 12345, 12345), 0);
		expect_untouched(why);
	}
	tear_down();
}
END_TEST

START_TEST(listen_refuses_to_replace_a_daemon_that_lives)
{
	int fd = -1;
	int client = -1;

	set_up();
	ck_assert_int_eq(try_listen(path, &fd), OK);
	expect_refusal(path, "another daemon serves the socket");
	client = connect_to(path);
	ck_assert_int_ge(client, 0);
	close(client);
	close(fd);
	tear_down();
}
END_TEST

/* A daemon whose queue is full answers nobody at the moment, and lives. */
START_TEST(listen_refuses_to_replace_a_daemon_that_is_busy)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_up();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(bind(busy, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(busy, 0), 0);
	ck_assert_int_ge(connect_to(path), 0);
	expect_refusal(path, "another daemon serves the socket");
	close(busy);
	tear_down();
}
END_TEST

START_TEST(listen_replaces_a_stale_socket_of_its_own)
{
	int fd = -1;
	int client = -1;

	set_up();
	ck_assert_int_eq(try_listen(path, &fd), OK);
	close(fd); /* as after a kill: the file stays */
	ck_assert_int_eq(connect_to(path), -1);
	ck_assert_int_eq(try_listen(path, &fd), OK);
	client = connect_to(path);
	ck_assert_int_ge(client, 0);
	close(client);
	close(fd);
	tear_down();
}
END_TEST

START_TEST(listen_gives_everybody_access_and_nothing_more_whatever_the_umask)
{
	static const mode_t masks[] = {0, 022, 077, 0777};
	struct stat stat = {0};
	int fd = -1;

	set_up();
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		mode_t before = umask(masks[i]);

		ck_assert_int_eq(try_listen(path, &fd), OK);
		ck_assert_uint_eq(umask(before), masks[i]); /* the process's own is not touched */
		ck_assert_int_eq(lstat(path, &stat), 0);
		ck_assert_uint_eq(stat.st_mode, S_IFSOCK | 0666);
		ck_assert((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		ck_assert((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		ck_assert(listen_is_usable(fd));
		close(fd);
	}
	tear_down();
}
END_TEST

START_TEST(listen_takes_a_path_in_the_current_directory)
{
	char before[PATH_MAX] = "";
	int fd = -1;

	set_up();
	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(chdir(directory), 0);
	ck_assert_int_eq(try_listen("s", &fd), OK);
	ck_assert_int_eq(chdir(before), 0);
	close(fd);
	tear_down();
}
END_TEST

START_TEST(listen_tells_its_own_socket_from_one_that_was_handed_over)
{
	struct listen_file file = {0};
	int pair[2] = {-1, -1};
	int fd = -1;

	set_up();
	ck_assert_int_eq(try_listen(path, &fd), OK);
	listen_file_find(fd, &file);
	ck_assert(file.is_ours);
	ck_assert_str_eq(file.path, path);

	/* as a service manager does it: the process that serves is not the one that called listen */
	pid_t child = fork();

	if (child == 0) {
		listen_file_find(fd, &file);
		listen_file_remove(&file);
		_exit(file.is_ours ? 1 : 0);
	}

	int status = -1;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(access(path, F_OK), 0);

	/* once, and only while it is the same file */
	listen_file_remove(&file);
	ck_assert_int_eq(access(path, F_OK), -1);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	listen_file_remove(&file);
	file.is_ours = true;
	listen_file_remove(&file);
	ck_assert_int_eq(access(path, F_OK), 0);
	close(fd);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert(!listen_is_usable(pair[0]));
	close(pair[0]);
	close(pair[1]);
	tear_down();
}
END_TEST

UNIT_MAIN("listen", listen_refuses_a_path_that_does_not_fit, listen_refuses_a_directory_that_is_not_there,
	listen_refuses_a_directory_that_others_may_write_to, listen_refuses_a_directory_of_somebody_else,
	listen_refuses_and_leaves_whatever_is_no_socket_of_ours,
	listen_refuses_to_replace_a_daemon_that_lives, listen_refuses_to_replace_a_daemon_that_is_busy,
	listen_replaces_a_stale_socket_of_its_own,
	listen_gives_everybody_access_and_nothing_more_whatever_the_umask,
	listen_takes_a_path_in_the_current_directory,
	listen_tells_its_own_socket_from_one_that_was_handed_over)
