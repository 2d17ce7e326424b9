/*
 * libcoffer against a daemon that answers by script: what it refuses to connect to, what it refuses to
 * believe, when it asks again, and what it leaves behind.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "coffer.h"
#include "fake_server.h"
#include "locked.h"
#include "token.h"

#define REPLY(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}\n"
#define REFUSAL(id, word, message) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":-32010,\"message\":\"" message "\"," \
	"\"data\":{\"error\":\"" word "\",\"retry\":false}}}\n"
#define ENV(entries) REPLY("1", "{\"integration\":\"finance/sync\",\"run\":\"01JRUN\",\"env\":[" entries "]}")

enum { SHORT_MS = 200 };

static coffer *open_at(const char *path, int timeout_ms)
{
	struct coffer_options options = {
		.size = sizeof(options), .socket_path = path, .timeout_ms = timeout_ms};
	coffer *vault = NULL;

	ck_assert_int_eq(coffer_open(&options, &vault), COFFER_OK);
	return vault;
}

static int ask(coffer *vault)
{
	const char *json = NULL;
	size_t len = 0;

	return coffer_whoami(vault, &json, &len);
}

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- where it refuses to connect ---- */

struct place {
	char outer[64];
	char inner[80];
	char path[96];
};

static int bind_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_lt(snprintf(address.sun_path, sizeof(address.sun_path), "%s", path),
		(int)sizeof(address.sun_path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static struct place make_place(void)
{
	struct place place = {.outer = "/tmp/coffer-place-XXXXXX"};

	ck_assert_ptr_nonnull(mkdtemp(place.outer));
	snprintf(place.inner, sizeof(place.inner), "%s/in", place.outer);
	snprintf(place.path, sizeof(place.path), "%s/s", place.inner);
	ck_assert_int_eq(mkdir(place.inner, 0755), 0);
	return place;
}

static void remove_place(const struct place *place)
{
	unlink(place->path);
	rmdir(place->inner);
	rmdir(place->outer);
}

static int error_at(const char *path)
{
	coffer *vault = open_at(path, SHORT_MS);
	int error = ask(vault);

	coffer_close(vault);
	return error;
}

START_TEST(lib_refuses_a_directory_that_others_may_write_to)
{
	static const mode_t modes[] = {0775, 0757, 0777, 01777};
	struct place place = make_place();
	int fd = bind_socket(place.path);

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ck_assert_int_eq(chmod(place.inner, modes[i]), 0);
		ck_assert_int_eq(error_at(place.path), COFFER_UNSAFE_SOCKET);
	}
	ck_assert_int_eq(chmod(place.inner, 0755), 0);
	ck_assert_int_eq(error_at(place.path), COFFER_TIMEOUT);
	close(fd);
	remove_place(&place);
}
END_TEST

START_TEST(lib_refuses_a_directory_that_others_may_replace)
{
	struct place place = make_place();
	int fd = bind_socket(place.path);

	ck_assert_int_eq(chmod(place.outer, 0777), 0);
	ck_assert_int_eq(error_at(place.path), COFFER_UNSAFE_SOCKET);
	/* In a sticky directory only the owner can. */
	ck_assert_int_eq(chmod(place.outer, 01777), 0);
	ck_assert_int_eq(error_at(place.path), COFFER_TIMEOUT);
	close(fd);
	remove_place(&place);
}
END_TEST

START_TEST(lib_refuses_what_belongs_to_somebody_else)
{
	struct place place = make_place();
	int fd = bind_socket(place.path);

	if (geteuid() == 0) {
		const char *const parts[] = {place.outer, place.inner, place.path};

		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			ck_assert_int_eq(chown(parts[i], 65534, 65534), 0);
			ck_assert_int_eq(error_at(place.path), COFFER_UNSAFE_SOCKET);
			ck_assert_int_eq(chown(parts[i], 0, 0), 0);
		}
	}
	ck_assert_int_eq(error_at(place.path), COFFER_TIMEOUT);
	close(fd);
	remove_place(&place);
}
END_TEST

START_TEST(lib_refuses_a_symlink_or_a_file_in_place_of_the_socket)
{
	struct place place = make_place();
	char other[96] = "";
	int fd = -1;

	snprintf(other, sizeof(other), "%s/o", place.inner);
	fd = bind_socket(other);
	ck_assert_int_eq(symlink(other, place.path), 0);
	ck_assert_int_eq(error_at(place.path), COFFER_UNSAFE_SOCKET);
	unlink(place.path);
	close(open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(error_at(place.path), COFFER_UNSAFE_SOCKET);
	unlink(other);
	close(fd);
	remove_place(&place);
}
END_TEST

START_TEST(lib_refuses_a_path_that_does_not_fit_an_address)
{
	char path[160] = "/";

	memset(path + 1, 'a', sizeof(path) - 2);
	ck_assert_int_eq(error_at(path), COFFER_UNSAFE_SOCKET);
}
END_TEST

START_TEST(lib_calls_a_missing_or_dead_socket_unreachable)
{
	struct place place = make_place();

	ck_assert_int_eq(error_at("/nonexistent/coffer/coffer.sock"), COFFER_UNREACHABLE);
	ck_assert_int_eq(error_at(place.path), COFFER_UNREACHABLE);
	close(bind_socket(place.path));
	ck_assert_int_eq(error_at(place.path), COFFER_UNREACHABLE);
	remove_place(&place);
}
END_TEST

/* For a child of its own, which gives up root for good. */
static int forbidden_at(const char *path)
{
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		return 1;

	coffer *vault = open_at(path, SHORT_MS);
	bool is_told = ask(vault) == COFFER_UNREACHABLE && coffer_retry_after_ms(vault) < 0 &&
		       strstr(coffer_error_text(vault, COFFER_UNREACHABLE), "may not reach") != NULL;

	coffer_close(vault);
	return is_told ? 0 : 1;
}

START_TEST(lib_tells_a_socket_out_of_reach_from_a_missing_one)
{
	struct place place = make_place();
	int fd = bind_socket(place.path);
	const char *const parts[] = {place.path, place.inner};

	ck_assert_int_eq(chmod(place.outer, 0755), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ck_assert_int_eq(chmod(parts[i], 0), 0);

		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			_exit(forbidden_at(place.path));
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(chmod(parts[i], 0755), 0);
		ck_assert_int_eq(status, 0);
	}
	close(fd);
	remove_place(&place);
}
END_TEST

START_TEST(lib_waits_for_a_full_backlog_no_longer_than_its_timeout)
{
	struct place place = make_place();
	int listener = bind_socket(place.path);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int waiting[8] = {0};
	int64_t start = now_ms();

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", place.path);
	for (size_t i = 0; i < 8; i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(waiting[i], (struct sockaddr *)&address, sizeof(address)) != 0)
			ck_assert_int_eq(errno, EAGAIN);
	}
	ck_assert_int_eq(error_at(place.path), COFFER_TIMEOUT);
	ck_assert_int_ge(now_ms() - start, SHORT_MS - 10);
	for (size_t i = 0; i < 8; i++)
		close(waiting[i]);
	close(listener);
	remove_place(&place);
}
END_TEST

/* ---- what it refuses to believe ---- */

/* One call that gets this answer. */
static int error_of_answer(const char *answer, enum fake_step_kind how)
{
	const struct fake_step script[] = {
		{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"method\":\"whoami\""}, {how, answer}, {FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);
	int error = ask(vault);

	coffer_close(vault);
	ck_assert(fake_stop(&server));
	return error;
}

START_TEST(lib_refuses_an_answer_that_is_not_understood)
{
	static const char *const answers[] = {
		"\n",
		"garbage\n",
		"[]\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"data\":\"denied\"}}\n",
		"{\"jsonrpc\":\"2.0\",\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":[[[[[[[1]]]]]]]}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\"}}\n",
		REPLY("1", "{}") REPLY("2", "{}"),
		REPLY("1", "{}") "x",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"resu",
		REFUSAL("2", "denied", "no"),
		REFUSAL("1", "a_word_of_tomorrow", "no"),
		REFUSAL("1", "timeout", "a word that never crosses the wire"),
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		ck_assert_msg(error_of_answer(answers[i], FAKE_SEND) == COFFER_PROTOCOL, "believed: %s",
			answers[i]);
}
END_TEST

START_TEST(lib_refuses_an_answer_without_end)
{
	static char piece[65536];

	memset(piece, ' ', sizeof(piece) - 1);
	ck_assert_int_eq(error_of_answer(piece, FAKE_FLOOD), COFFER_PROTOCOL);
}
END_TEST

START_TEST(lib_waits_no_longer_than_its_timeout_in_all)
{
	static const enum fake_step_kind ways[] = {FAKE_HANG, FAKE_TRICKLE};

	for (size_t i = 0; i < 2; i++) {
		const struct fake_step script[] = {
			{FAKE_ACCEPT, NULL}, {FAKE_READ, ""}, {ways[i], " "}, {FAKE_END, NULL}};
		struct fake_server server = {0};
		int64_t start = now_ms();

		fake_start(&server, script);

		coffer *vault = open_at(server.path, SHORT_MS);

		ck_assert_int_eq(ask(vault), COFFER_TIMEOUT);
		ck_assert_int_ge(now_ms() - start, SHORT_MS - 10);
		ck_assert_int_lt(now_ms() - start, 10 * SHORT_MS);
		ck_assert_int_eq(coffer_error_is_retry(COFFER_TIMEOUT), 1);
		ck_assert(fake_stop(&server));
		coffer_close(vault);
	}
}
END_TEST

static int error_of_env(const char *answer)
{
	const struct fake_step script[] = {{FAKE_ACCEPT, NULL},
		{FAKE_READ, "\"method\":\"env.fetch\",\"params\":{}}"}, {FAKE_SEND, answer},
		{FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);
	coffer_env *env = (coffer_env *)(uintptr_t)1;
	int error = coffer_fetch(vault, NULL, &env);

	if (error != COFFER_OK)
		ck_assert_ptr_null(env);
	coffer_env_free(env);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
	return error;
}

START_TEST(lib_refuses_an_environment_that_is_not_understood)
{
	static const char *const answers[] = {
		REPLY("1", "{}"),
		REPLY("1", "{\"integration\":\"a\",\"run\":\"r\"}"),
		REPLY("1", "{\"integration\":\"a\",\"env\":[]}"),
		REPLY("1", "{\"run\":\"r\",\"env\":[]}"),
		REPLY("1", "{\"integration\":\"a\",\"run\":\"r\",\"env\":{}}"),
		ENV("\"A=1\""),
		ENV("{\"value\":\"v\",\"version\":1}"),
		ENV("{\"key\":\"A\",\"version\":1}"),
		ENV("{\"key\":\"A\",\"value\":7,\"version\":1}"),
		ENV("{\"key\":\"A\",\"value\":\"v\"}"),
		ENV("{\"key\":\"A\",\"value\":\"v\",\"version\":-1}"),
		ENV("{\"key\":\"A\",\"value\":\"v\",\"version\":1,\"expires_at\":\"soon\"}"),
		ENV("{\"key\":\"A\",\"value\":\"v\",\"version\":1,\"encoding\":\"rot13\"}"),
		ENV("{\"key\":\"A\",\"value\":\"dg\",\"version\":1,\"encoding\":\"base64\"}"),
		/* a NUL: what lies behind it would silently be missing */
		ENV("{\"key\":\"A\",\"value\":\"dgB2\",\"version\":1,\"encoding\":\"base64\"}"),
		ENV("{\"key\":\"A=B\",\"value\":\"v\",\"version\":1}"),
		ENV("{\"key\":\"1A\",\"value\":\"v\",\"version\":1}"),
		ENV("{\"key\":\"\",\"value\":\"v\",\"version\":1}"),
		ENV("{\"key\":\"LD_PRELOAD\",\"value\":\"v\",\"version\":1}"),
		ENV("{\"key\":\"COFFER_SOCKET\",\"value\":\"v\",\"version\":1}"),
		ENV("{\"key\":\"A\",\"value\":\"v\",\"version\":1},{\"key\":\"B\",\"value\":\"v\","
		    "\"version\":1},"
		    "{\"key\":\"A\",\"value\":\"w\",\"version\":1}"),
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		ck_assert_msg(error_of_env(answers[i]) == COFFER_PROTOCOL, "believed: %s", answers[i]);
	ck_assert_int_eq(error_of_env(ENV("")), COFFER_OK);
}
END_TEST

/* ---- refusals of the daemon ---- */

START_TEST(lib_tells_each_refusal_by_its_word)
{
	static const struct {
		const char *answer;
		int error;
	} rows[] = {
		{REFUSAL("1", "denied", "no"), COFFER_DENIED},
		{REFUSAL("1", "not_found", "no"), COFFER_NOT_FOUND},
		{REFUSAL("1", "sealed", "no"), COFFER_SEALED},
		{REFUSAL("1", "audit_unavailable", "no"), COFFER_AUDIT_UNAVAILABLE},
		{REFUSAL("1", "bad_request", "no"), COFFER_BAD_REQUEST},
		{REFUSAL("null", "too_large", "no"), COFFER_TOO_LARGE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_int_eq(error_of_answer(rows[i].answer, FAKE_SEND), rows[i].error);
	ck_assert_int_eq(coffer_error_is_retry(COFFER_SEALED), 1);
	ck_assert_int_eq(coffer_error_is_retry(COFFER_DENIED), 0);
	ck_assert_int_eq(coffer_error_is_retry(12345), 0);
	ck_assert_str_eq(coffer_error_word(COFFER_DENIED), "denied");
	ck_assert_str_eq(coffer_error_word(COFFER_OK), "ok");
	ck_assert_str_eq(coffer_error_word(12345), "unknown");
	ck_assert_str_ne(coffer_error_text(NULL, 12345), "");
}
END_TEST

START_TEST(lib_hears_the_last_words_of_a_daemon_that_reads_nothing)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL},
		{FAKE_SEND, REFUSAL("null", "busy", "too many connections")}, {FAKE_CLOSE, NULL},
		{FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(ask(vault), COFFER_BUSY);
	ck_assert_str_eq(coffer_error_text(vault, COFFER_BUSY), "too many connections");
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_passes_on_the_daemons_sentence_and_pause)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":1,"},
		{FAKE_SEND, "{\"id\":1,\"error\":{\"message\":\"finance/sync is at its "
			    "limit\",\"data\":{\"error\":\"rate_limited\","
			    "\"retry_after_ms\":1500}}}\n"},
		{FAKE_READ, "\"id\":2,"}, {FAKE_SEND, REFUSAL("2", "denied", "\\u001b[31mred")},
		{FAKE_HANG, NULL}, {FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(ask(vault), COFFER_RATE_LIMITED);
	ck_assert_str_eq(coffer_error_text(vault, COFFER_RATE_LIMITED), "finance/sync is at its limit");
	ck_assert_int_eq(coffer_retry_after_ms(vault), 1500);
	/* Nothing that a terminal would act upon. */
	ck_assert_int_eq(ask(vault), COFFER_DENIED);
	ck_assert_str_eq(coffer_error_text(vault, COFFER_DENIED), "not permitted");
	ck_assert_int_eq(coffer_retry_after_ms(vault), 0);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_hands_out_what_came_with_a_refusal_until_the_next_call)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":1,"},
		{FAKE_SEND, REFUSAL("1", "in_use", "no")}, {FAKE_READ, "\"id\":2,"},
		{FAKE_SEND, "{\"id\":2,\"error\":{\"data\":{\"holders\":[{\"pid\":7}],\"error\":\"in_use\"},"
			    "\"message\":\"held\"}}\n"},
		{FAKE_READ, "\"id\":3,"}, {FAKE_SEND, REPLY("3", "{}")}, {FAKE_READ, "\"id\":4,"},
		{FAKE_SEND, REFUSAL("4", "denied", "no")}, {FAKE_HANG, NULL}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	coffer_env *env = NULL;
	const char *json = NULL;
	size_t len = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(coffer_error_data(vault, &json, &len), COFFER_NOT_FOUND);
	ck_assert_int_eq(coffer_error_data(NULL, &json, &len), COFFER_USAGE);
	ck_assert_int_eq(coffer_error_data(vault, NULL, &len), COFFER_USAGE);
	ck_assert_int_eq(coffer_error_data(vault, &json, NULL), COFFER_USAGE);
	ck_assert_int_eq(ask(vault), COFFER_IN_USE);
	ck_assert_int_eq(coffer_error_data(vault, &json, &len), COFFER_OK);
	ck_assert_str_eq(json, "{\"error\":\"in_use\",\"retry\":false}");
	ck_assert_int_eq(ask(vault), COFFER_IN_USE);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(coffer_error_data(vault, &json, &len), COFFER_OK);
		ck_assert_str_eq(json, "{\"holders\":[{\"pid\":7}],\"error\":\"in_use\"}");
		ck_assert_uint_eq(len, strlen(json));
	}
	ck_assert_str_eq(coffer_error_text(vault, COFFER_IN_USE), "held");
	ck_assert_int_eq(ask(vault), COFFER_OK);
	ck_assert_int_eq(coffer_error_data(vault, &json, &len), COFFER_NOT_FOUND);
	/* A fetch wipes its whole reply, whatever it was. */
	ck_assert_int_eq(coffer_fetch(vault, NULL, &env), COFFER_DENIED);
	ck_assert_int_eq(coffer_error_data(vault, &json, &len), COFFER_NOT_FOUND);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* ---- connections ---- */

START_TEST(lib_asks_on_a_new_connection_after_any_doubt)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":1,"},
		{FAKE_SEND, REPLY("7", "{}")}, {FAKE_HANG, NULL}, {FAKE_CLOSE, NULL}, {FAKE_ACCEPT, NULL},
		{FAKE_READ, "\"id\":2,"}, {FAKE_SEND, REPLY("2", "{}")}, {FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(ask(vault), COFFER_PROTOCOL);
	ck_assert_int_eq(ask(vault), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_connects_again_when_an_idle_connection_was_closed)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":1,"},
		{FAKE_SEND, REPLY("1", "{}")}, {FAKE_CLOSE, NULL}, {FAKE_ACCEPT, NULL},
		{FAKE_READ, "\"id\":3,"}, {FAKE_SEND, REPLY("3", "{}")}, {FAKE_CLOSE_UNREAD, NULL},
		{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":5,"}, {FAKE_SEND, REPLY("5", "{}")},
		{FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ask(vault), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_never_sends_again_what_may_have_been_read)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":1,"},
		{FAKE_SEND, REPLY("1", "{}")}, {FAKE_READ, "\"id\":2,"}, {FAKE_CLOSE, NULL},
		{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":3,"}, {FAKE_SEND, REPLY("3", "{}")},
		{FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(ask(vault), COFFER_OK);
	ck_assert_int_eq(ask(vault), COFFER_UNREACHABLE);
	ck_assert_int_eq(ask(vault), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* P9: by the parent's connection the daemon would take the child for the parent. */
START_TEST(lib_connects_anew_in_a_forked_child)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":1,"},
		{FAKE_SEND, REPLY("1", "{}")}, {FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":2,"},
		{FAKE_SEND, REPLY("2", "{}")}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	int status = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(ask(vault), COFFER_OK);

	pid_t child = fork();

	if (child == 0)
		_exit(ask(vault));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_keeps_clear_of_the_standard_descriptors)
{
	struct place place = make_place();
	int listener = bind_socket(place.path);
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, listener);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct channel channel = {.fd = -1};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", place.path);
	close(STDIN_FILENO);
	ck_assert_int_eq(channel_connect(&channel, &address, channel_deadline(5000)), OK);
	ck_assert_int_gt(channel.fd, STDERR_FILENO);
	ck_assert_int_eq(fcntl(channel.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), -1);
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	channel_close(&channel);
	close(listener);
	remove_place(&place);
}
END_TEST

static void on_alarm(int signal)
{
	(void)signal;
}

START_TEST(lib_goes_on_after_signals_and_partial_writes)
{
	static char text[100000];
	struct channel channel = {0};
	int pair[2] = {-1, -1};
	int size = 4096;
	size_t received = 0;
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval often = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}};
	struct itimerval never = {0};

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	channel = (struct channel){.fd = pair[0], .owner = getpid()};
	memset(text, 'x', sizeof(text));

	pid_t child = fork();

	if (child == 0) {
		char byte = 0;

		close(pair[0]);
		while (received < sizeof(text) + 3 && recv(pair[1], &byte, 1, 0) == 1)
			received++;
		_exit(received == sizeof(text) + 3 && byte == '\n' ? 0 : 1);
	}
	close(pair[1]);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);

	char head[] = "{";
	char tail[] = "}\n";
	struct iovec pieces[] = {{head, 1}, {text, sizeof(text)}, {tail, 2}};
	int status = 0;

	ck_assert_int_eq(channel_send(&channel, pieces, 3, channel_deadline(20000)), OK);
	setitimer(ITIMER_REAL, &never, NULL);
	channel_close(&channel);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- requests ---- */

START_TEST(lib_refuses_requests_that_would_not_be_one_line)
{
	static char large[131072];
	coffer *vault = open_at("/nonexistent/s", SHORT_MS);
	const char *result = NULL;
	size_t len = 0;

	memset(large, ' ', sizeof(large));
	ck_assert_int_eq(coffer_call(vault, "status", "{}\n{}", 5, &result, &len), COFFER_USAGE);
	ck_assert_int_eq(coffer_call(vault, "a\",\"b\":\"c", "{}", 2, &result, &len), COFFER_USAGE);
	ck_assert_int_eq(coffer_call(vault, NULL, "{}", 2, &result, &len), COFFER_USAGE);
	ck_assert_int_eq(coffer_call(NULL, "status", "{}", 2, &result, &len), COFFER_USAGE);
	ck_assert_int_eq(
		coffer_call(vault, "status", large, sizeof(large) + 1, &result, &len), COFFER_TOO_LARGE);
	coffer_close(vault);
}
END_TEST

START_TEST(lib_refuses_a_line_over_the_limit_before_it_is_sent)
{
	static char large[131072];
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":2,"},
		{FAKE_SEND, REPLY("2", "{}")}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	const char *result = NULL;
	size_t len = 0;

	memset(large, ' ', sizeof(large));
	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(coffer_call(vault, "status", large, sizeof(large), &result, &len), COFFER_TOO_LARGE);
	ck_assert_int_eq(ask(vault), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_refuses_options_that_it_does_not_know)
{
	struct {
		struct coffer_options options;
		int tomorrow;
	} larger = {.options = {.size = sizeof(larger), .socket_path = "/nonexistent/s"}};
	struct coffer_options options = {.size = sizeof(options), .flags = 1u << 7};
	coffer *vault = NULL;

	ck_assert_int_eq(coffer_open(&options, &vault), COFFER_UNSUPPORTED);
	ck_assert_ptr_null(vault);
	options = (struct coffer_options){.size = 0};
	ck_assert_int_eq(coffer_open(&options, &vault), COFFER_USAGE);
	ck_assert_int_eq(coffer_open(NULL, NULL), COFFER_USAGE);
	larger.tomorrow = 1;
	ck_assert_int_eq(coffer_open(&larger.options, &vault), COFFER_UNSUPPORTED);
	larger.tomorrow = 0;
	ck_assert_int_eq(coffer_open(&larger.options, &vault), COFFER_OK);
	coffer_close(vault);
}
END_TEST

START_TEST(lib_refuses_names_that_break_the_rules_before_it_asks)
{
	static const char *const bad_keys[] = {"GOOD", "BAD-KEY", NULL};
	coffer *vault = open_at("/nonexistent/s", SHORT_MS);
	struct coffer_fetch_options options = {.size = sizeof(options), .integration = "no\nname"};
	coffer_env *env = NULL;

	ck_assert_int_eq(coffer_fetch(vault, &options, &env), COFFER_BAD_NAME);
	options.integration = NULL;
	options.only = bad_keys;
	ck_assert_int_eq(coffer_fetch(vault, &options, &env), COFFER_BAD_NAME);
	ck_assert_int_eq(coffer_fetch(NULL, NULL, &env), COFFER_USAGE);
	ck_assert_int_eq(coffer_fetch(vault, NULL, NULL), COFFER_USAGE);
	coffer_close(vault);
}
END_TEST

START_TEST(lib_asks_for_exactly_what_the_caller_wants)
{
	static const char *const only[] = {"A", "B", NULL};
	static const char *const optional[] = {"B", NULL};
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL},
		{FAKE_READ, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"env.fetch\",\"params\":{"
			    "\"integration\":\"finance/sync\","
			    "\"only\":[\"A\",\"B\"],\"optional\":[\"B\"]}}"},
		{FAKE_SEND, ENV("")}, {FAKE_END, NULL}};
	struct coffer_fetch_options options = {
		.size = sizeof(options), .integration = "finance/sync", .only = only, .optional = optional};
	struct fake_server server = {0};
	coffer_env *env = NULL;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(coffer_fetch(vault, &options, &env), COFFER_OK);
	ck_assert_uint_eq(coffer_env_count(env), 0);
	coffer_env_free(env);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* Programs that were built before the struct had flags still ask for what they asked for then. */
START_TEST(lib_asks_for_staged_values_where_the_caller_wants_them)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL},
		{FAKE_READ, "\"id\":1,\"method\":\"env.fetch\",\"params\":{\"staged\":true}}"},
		{FAKE_SEND, ENV("")}, {FAKE_READ, "\"id\":2,\"method\":\"env.fetch\",\"params\":{}}"},
		{FAKE_SEND, REFUSAL("2", "denied", "no")}, {FAKE_END, NULL}};
	struct coffer_fetch_options options = {.size = sizeof(options), .flags = COFFER_STAGED << 1};
	struct fake_server server = {0};
	coffer_env *env = NULL;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(coffer_fetch(vault, &options, &env), COFFER_UNSUPPORTED);
	options.flags = COFFER_STAGED;
	ck_assert_int_eq(coffer_fetch(vault, &options, &env), COFFER_OK);
	coffer_env_free(env);
	options.size = offsetof(struct coffer_fetch_options, flags);
	ck_assert_int_eq(coffer_fetch(vault, &options, &env), COFFER_DENIED);
	options.size--;
	ck_assert_int_eq(coffer_fetch(vault, &options, &env), COFFER_USAGE);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_hands_out_the_text_of_a_result)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL},
		{FAKE_READ, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"secret.list\",\"params\":{"
			    "\"integration\":\"a\"}}"},
		{FAKE_DRIP, "{\"new\":[1],\"result\": {\"b\":{\"c\":1}} ,\"id\":1}\n"}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	const char *result = NULL;
	size_t len = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(
		coffer_call(vault, "secret.list", "{\"integration\":\"a\"}", 19, &result, &len), COFFER_OK);
	ck_assert_str_eq(result, "{\"b\":{\"c\":1}}");
	ck_assert_uint_eq(len, strlen(result));
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* ---- subscriptions ---- */

#define RUN_ID "01JABCDEFGHJKMNPQRSTVWXYZ0"
#define WATCH(id) "\"id\":" id ",\"method\":\"env.watch\",\"params\":{}}"
#define WATCHED(id) REPLY(id, "{\"integration\":\"a\",\"env\":[]}")
#define CHANGED(version) \
	"{\"jsonrpc\":\"2.0\",\"method\":\"env.changed\",\"params\":{\"integration\":\"a\"," \
	"\"changes\":[{\"key\":\"A\",\"version\":" version ",\"state\":\"current\"}]}}\n"
#define EVENT(method) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{\"integration\":\"a\"}}\n"

static int watch(coffer *vault)
{
	const char *json = NULL;
	size_t len = 0;
	int error = coffer_watch(vault, NULL, &json, &len);

	ck_assert(error != COFFER_OK || strlen(json) == len);
	return error;
}

/* What the wait for an event says when this comes behind the answer to env.watch; one event before it is let pass. */
static int error_of_event(const char *line, enum fake_step_kind how)
{
	const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, WATCH("1")},
		{FAKE_SEND, WATCHED("1")}, {how, line}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	enum coffer_event event = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(watch(vault), COFFER_OK);

	int error = coffer_watch_next(vault, 5000, &event, NULL, NULL);

	if (error != COFFER_OK)
		ck_assert_int_eq(coffer_watch_fd(vault), -1);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
	return error;
}

START_TEST(lib_waits_for_no_event_without_a_subscription)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, WATCH("1")},
		{FAKE_SEND, REFUSAL("1", "denied", "no") CHANGED("4")}, {FAKE_CLOSE, NULL},
		{FAKE_ACCEPT, NULL}, {FAKE_READ, "whoami"}, {FAKE_SEND, REPLY("2", "{}")}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	enum coffer_event event = 0;
	const char *json = NULL;
	size_t len = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(coffer_watch_next(NULL, 0, &event, NULL, NULL), COFFER_USAGE);
	ck_assert_int_eq(coffer_watch(vault, NULL, NULL, &len), COFFER_USAGE);
	ck_assert_int_eq(coffer_watch(vault, "no\nname", &json, &len), COFFER_BAD_NAME);
	ck_assert_int_eq(coffer_watch_next(vault, 0, &event, NULL, NULL), COFFER_USAGE);
	ck_assert_int_eq(watch(vault), COFFER_DENIED);
	ck_assert_int_eq(coffer_watch_next(vault, 0, &event, NULL, NULL), COFFER_USAGE);
	/* What followed the refusal is not taken for an answer. */
	ck_assert_int_eq(ask(vault), COFFER_OK);
	ck_assert_int_eq(coffer_watch_next(vault, 0, &event, NULL, NULL), COFFER_USAGE);
	ck_assert_int_eq(coffer_watch_fd(vault), -1);
	ck_assert_int_eq(coffer_watch_fd(NULL), -1);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_refuses_an_event_that_is_not_understood)
{
	static const char *const lines[] = {
		"\n",
		"garbage\n",
		"{\"jsonrpc\":\"2.0\"}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":7,\"params\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"env.changed\"}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"env.changed\",\"params\":[]}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"env.changed\",\"params\":{}}\n",
		REPLY("1", "{}"),
		"{\"jsonrpc\":\"2.0\",\"meth",
	};
	static char piece[65536];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(
			error_of_event(lines[i], FAKE_SEND) == COFFER_PROTOCOL, "believed: %s", lines[i]);
	memset(piece, ' ', sizeof(piece) - 1);
	ck_assert_int_eq(error_of_event(piece, FAKE_FLOOD), COFFER_PROTOCOL);
	ck_assert_int_eq(error_of_event("", FAKE_SEND), COFFER_UNREACHABLE);
	ck_assert_int_eq(error_of_event(CHANGED("4"), FAKE_DRIP), COFFER_OK);
}
END_TEST

/* Whatever the pieces in which the lines arrive: all with the answer, or byte by byte. */
START_TEST(lib_hands_out_every_event_behind_the_answer)
{
	static const char lines[] =
		WATCHED("1") CHANGED("4") EVENT("of.tomorrow") CHANGED("5") EVENT("watch.overflow");
	static const enum fake_step_kind ways[] = {FAKE_SEND, FAKE_DRIP};

	for (size_t i = 0; i < 2; i++) {
		const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, WATCH("1")},
			{ways[i], lines}, {FAKE_HANG, NULL}, {FAKE_END, NULL}};
		struct fake_server server = {0};
		enum coffer_event event = 0;
		const char *json = NULL;
		size_t len = 0;

		fake_start(&server, script);

		coffer *vault = open_at(server.path, 5000);

		ck_assert_int_eq(coffer_watch(vault, NULL, &json, &len), COFFER_OK);
		ck_assert_str_eq(json, "{\"integration\":\"a\",\"env\":[]}");
		for (int version = 4; version <= 5; version++) {
			char expected[16] = "";

			snprintf(expected, sizeof(expected), "\"version\":%d,", version);
			ck_assert_int_eq(coffer_watch_next(vault, 5000, &event, &json, &len), COFFER_OK);
			ck_assert_int_eq(event, COFFER_EVENT_CHANGED);
			ck_assert_ptr_nonnull(strstr(json, expected));
			ck_assert_uint_eq(strlen(json), len);
		}
		ck_assert_int_eq(coffer_watch_next(vault, -1, &event, NULL, NULL), COFFER_OK);
		ck_assert_int_eq(event, COFFER_EVENT_OVERFLOW);
		ck_assert_int_eq(coffer_watch_next(vault, 0, NULL, NULL, NULL), COFFER_TIMEOUT);
		ck_assert_int_ge(coffer_watch_fd(vault), 0);
		coffer_close(vault);
		ck_assert(fake_stop(&server));
	}
}
END_TEST

/* The descriptor tells when, and half an event is not lost while the rest is on its way. */
START_TEST(lib_keeps_half_an_event_until_the_rest_comes)
{
	struct place place = make_place();
	int listener = bind_socket(place.path);
	coffer *vault = open_at(place.path, 5000);
	static const char answer[] = WATCHED("1");
	static const char line[] = CHANGED("4");
	char request[512] = "";
	enum coffer_event event = 0;
	pid_t child = fork();

	if (child == 0) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		for (size_t at = 0; recv(fd, request, sizeof(request), 0) > 0; at += 50) {
			size_t left = at < sizeof(line) - 1 ? sizeof(line) - 1 - at : 0;

			if (at == 0)
				send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
			send(fd, line + at, left < 50 ? left : 50, MSG_NOSIGNAL);
		}
		_exit(0);
	}
	ck_assert_int_eq(watch(vault), COFFER_OK);

	int error = COFFER_TIMEOUT;

	for (int pieces = 0; error == COFFER_TIMEOUT; pieces++) {
		struct pollfd poll_fd = {.fd = coffer_watch_fd(vault), .events = POLLIN};

		ck_assert_int_lt(pieces, 10);
		ck_assert_int_eq(poll(&poll_fd, 1, pieces == 0 ? 0 : 5000),
			pieces == 0 ? poll_fd.revents / POLLIN : 1);
		error = coffer_watch_next(vault, 0, &event, NULL, NULL);
		ck_assert_int_eq(send(coffer_watch_fd(vault), "x", 1, MSG_NOSIGNAL), 1);
	}
	ck_assert_int_eq(error, COFFER_OK);
	ck_assert_int_eq(event, COFFER_EVENT_CHANGED);
	coffer_close(vault);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(listener);
	remove_place(&place);
}
END_TEST

START_TEST(lib_ends_the_subscription_with_the_right)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, WATCH("1")},
		{FAKE_SEND, WATCHED("1") EVENT("watch.ended")}, {FAKE_HANG, NULL}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	enum coffer_event event = 0;
	const char *json = NULL;
	size_t len = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(watch(vault), COFFER_OK);
	ck_assert_int_eq(coffer_watch_next(vault, 5000, &event, &json, &len), COFFER_OK);
	ck_assert_int_eq(event, COFFER_EVENT_ENDED);
	ck_assert_str_eq(json, "{\"integration\":\"a\"}");
	ck_assert_int_eq(coffer_watch_fd(vault), -1);
	ck_assert_int_eq(coffer_watch_next(vault, 5000, &event, NULL, NULL), COFFER_USAGE);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_ends_the_subscription_with_every_other_call)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, WATCH("1")},
		{FAKE_SEND, WATCHED("1") CHANGED("4")}, {FAKE_HANG, NULL}, {FAKE_CLOSE, NULL},
		{FAKE_ACCEPT, NULL}, {FAKE_READ, "whoami"}, {FAKE_SEND, REPLY("2", "{}")},
		{FAKE_READ, WATCH("3")}, {FAKE_SEND, WATCHED("3")}, {FAKE_HANG, NULL}, {FAKE_CLOSE, NULL},
		{FAKE_ACCEPT, NULL}, {FAKE_READ, WATCH("4")}, {FAKE_SEND, WATCHED("4")}, {FAKE_HANG, NULL},
		{FAKE_END, NULL}};
	struct fake_server server = {0};
	enum coffer_event event = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(watch(vault), COFFER_OK);
	ck_assert_int_eq(ask(vault), COFFER_OK);
	ck_assert_int_eq(coffer_watch_fd(vault), -1);
	ck_assert_int_eq(coffer_watch_next(vault, 0, &event, NULL, NULL), COFFER_USAGE);
	ck_assert_int_eq(watch(vault), COFFER_OK);
	ck_assert_int_eq(watch(vault), COFFER_OK);
	ck_assert_int_eq(coffer_watch_next(vault, 0, &event, NULL, NULL), COFFER_TIMEOUT);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* P9: the events are the parent's; a child that read some would take them from it. */
START_TEST(lib_leaves_the_subscription_to_the_parent)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, WATCH("1")},
		{FAKE_SEND, WATCHED("1") CHANGED("4") CHANGED("5")}, {FAKE_HANG, NULL}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	enum coffer_event event = 0;
	int status = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(watch(vault), COFFER_OK);

	pid_t child = fork();

	if (child == 0)
		_exit(coffer_watch_fd(vault) == -1 &&
					coffer_watch_next(vault, 5000, &event, NULL, NULL) == COFFER_USAGE
				? 0
				: 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(coffer_watch_next(vault, 5000, &event, NULL, NULL), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_releases_runs_by_their_id)
{
	static const char *const bad[] = {"", "01JRUN", RUN_ID "0", "01JABCDEFGHJKMNPQRSTVWX\"},"};
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL},
		{FAKE_READ, "\"method\":\"holder.release\",\"params\":{\"run\":\"" RUN_ID "\"}}"},
		{FAKE_SEND, REFUSAL("1", "denied", "no")}, {FAKE_READ, "\"id\":2,"},
		{FAKE_SEND, REPLY("2", "{\"run\":\"" RUN_ID "\"}")}, {FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(coffer_release(vault, bad[i]), COFFER_USAGE);
	ck_assert_int_eq(coffer_release(vault, NULL), COFFER_USAGE);
	ck_assert_int_eq(coffer_release(NULL, RUN_ID), COFFER_USAGE);
	ck_assert_int_eq(coffer_release(vault, RUN_ID), COFFER_DENIED);
	ck_assert_int_eq(coffer_release(vault, RUN_ID), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* ---- environments ---- */

static coffer_env *fetch_env(const char *answer)
{
	const struct fake_step script[] = {
		{FAKE_ACCEPT, NULL}, {FAKE_READ, "env.fetch"}, {FAKE_SEND, answer}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	coffer_env *env = NULL;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(coffer_fetch(vault, NULL, &env), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
	return env;
}

static struct coffer_variable variable_of(const coffer_env *env, const char *name)
{
	struct coffer_variable variable = {.size = sizeof(variable)};

	ck_assert_int_eq(coffer_env_get(env, name, &variable), COFFER_OK);
	return variable;
}

#define THREE_VALUES \
	ENV("{\"key\":\"PGPASSWORD\",\"value\":\"s\\u00e9cret\\n\\\"two\\\"\",\"encoding\":\"utf8\"," \
	    "\"version\":3," \
	    "\"expires_at\":\"1970-01-01T00:00:01.500Z\",\"of_tomorrow\":{\"x\":[null]}}," \
	    "{\"key\":\"A\",\"value\":\"/" \
	    "w==\",\"encoding\":\"base64\",\"version\":9007199254740991,\"expires_at\":null}," \
	    "{\"key\":\"Z\",\"value\":\"\",\"version\":1}")

START_TEST(lib_decodes_values_and_sorts_them_by_name)
{
	coffer_env *env = fetch_env(THREE_VALUES);
	struct coffer_variable variable = {.size = sizeof(variable)};

	ck_assert_str_eq(coffer_env_integration(env), "finance/sync");
	ck_assert_str_eq(coffer_env_run(env), "01JRUN");
	ck_assert_uint_eq(coffer_env_count(env), 3);
	ck_assert_int_eq(coffer_env_at(env, 3, &variable), COFFER_NOT_FOUND);
	ck_assert_int_eq(coffer_env_get(env, "PGPASS", &variable), COFFER_NOT_FOUND);
	variable.size = 8;
	ck_assert_int_eq(coffer_env_at(env, 0, &variable), COFFER_USAGE);
	variable.size = sizeof(variable);
	ck_assert_int_eq(coffer_env_at(env, 0, &variable), COFFER_OK);
	ck_assert_str_eq(variable.name, "A");
	ck_assert_str_eq(variable.assignment, "A=\xff");
	ck_assert_uint_eq(variable.value_len, 1);
	ck_assert_uint_eq(variable.version, 9007199254740991u);
	ck_assert_int_eq(variable.expires_ms, 0);
	variable = variable_of(env, "PGPASSWORD");
	ck_assert_str_eq(variable.value, "s\xc3\xa9"
					 "cret\n\"two\"");
	ck_assert_str_eq(variable.assignment, "PGPASSWORD=s\xc3\xa9"
					      "cret\n\"two\"");
	ck_assert_uint_eq(variable.value_len, strlen(variable.value));
	ck_assert_int_eq(variable.expires_ms, 1500);
	ck_assert_uint_eq(variable_of(env, "Z").value_len, 0);
	coffer_env_free(env);
}
END_TEST

START_TEST(lib_sets_the_environment_as_told)
{
	coffer_env *env = fetch_env(THREE_VALUES);

	setenv("A", "mine", 1);
	unsetenv("Z");
	ck_assert_int_eq(coffer_env_inject(env, 1u << 5), COFFER_USAGE);
	ck_assert_int_eq(coffer_env_inject(env, COFFER_KEEP_EXISTING), COFFER_OK);
	ck_assert_str_eq(getenv("A"), "mine");
	ck_assert_str_eq(getenv("Z"), "");
	ck_assert_int_eq(coffer_env_inject(env, 0), COFFER_OK);
	ck_assert_str_eq(getenv("A"), "\xff");
	coffer_env_free(env);
}
END_TEST

START_TEST(lib_takes_answers_of_every_size)
{
	static const size_t sizes[] = {16200, 16383, 16384, 131072, 1048576, 5000000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t value_len = sizes[i];
		char *answer = malloc(value_len + 512);
		char *value = malloc(value_len + 1);

		memset(value, 'v', value_len);
		value[value_len] = '\0';
		snprintf(answer, value_len + 512, ENV("{\"key\":\"A\",\"value\":\"%s\",\"version\":1}"),
			value);

		coffer_env *env = fetch_env(answer);

		ck_assert_uint_eq(variable_of(env, "A").value_len, value_len);
		ck_assert_str_eq(variable_of(env, "A").value, value);
		coffer_env_free(env);
		free(value);
		free(answer);
	}
}
END_TEST

/* P1: the flags of the mapping that holds address, as smaps tells them. */
static void read_flags(const void *address, char *out, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512] = "";
	bool is_ours = false;

	out[0] = '\0';
	while (fgets(line, sizeof(line), maps) != NULL) {
		uintptr_t from = 0;
		uintptr_t to = 0;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_ours = from <= (uintptr_t)address && (uintptr_t)address < to;
		else if (is_ours && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(out, size, "%s", line + 8);
	}
	fclose(maps);
}

START_TEST(lib_keeps_values_in_memory_that_is_locked_and_not_dumped)
{
	coffer_env *env = fetch_env(THREE_VALUES);
	char flags[512] = "";

	read_flags(variable_of(env, "A").value, flags, sizeof(flags));
	ck_assert_ptr_nonnull(strstr(flags, " lo"));
	ck_assert_ptr_nonnull(strstr(flags, " dd"));
	ck_assert_ptr_nonnull(strstr(flags, " wf"));
	coffer_env_free(env);
}
END_TEST

/* ---- tokens ---- */

#define TOKEN "coffer_42_gdap16f49vkv5wtwgzjff0za8nxytwgx2fegqb8zn2tds93e3bd0_99cc511f"
#define SHOWN(id) "\"id\":" id ",\"method\":\"session.authenticate\",\"params\":{\"token\":\"" TOKEN "\"}}"

static int show(coffer *vault)
{
	return coffer_authenticate(vault, TOKEN, strlen(TOKEN));
}

START_TEST(lib_refuses_what_is_no_whole_token_before_it_asks)
{
	static const char *const texts[] = {"", "coffer_", (TOKEN "\n"), (TOKEN "0"), (" " TOKEN),
		"coffer_43_gdap16f49vkv5wtwgzjff0za8nxytwgx2fegqb8zn2tds93e3bd0_99cc511f"};
	coffer *vault = open_at("/nonexistent/s", SHORT_MS);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_int_eq(coffer_authenticate(vault, texts[i], strlen(texts[i])), COFFER_BAD_VALUE);
		ck_assert_ptr_nonnull(strstr(coffer_error_text(vault, COFFER_BAD_VALUE), "not whole"));
	}
	ck_assert_int_eq(coffer_authenticate(vault, TOKEN, strlen(TOKEN) - 1), COFFER_BAD_VALUE);
	ck_assert_int_eq(coffer_authenticate(vault, NULL, 0), COFFER_USAGE);
	ck_assert_int_eq(coffer_authenticate(NULL, TOKEN, strlen(TOKEN)), COFFER_USAGE);
	ck_assert_int_eq(show(vault), COFFER_UNREACHABLE);
	coffer_close(vault);
}
END_TEST

START_TEST(lib_has_no_token_after_a_refusal)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, SHOWN("1")},
		{FAKE_SEND, REPLY("1", "{}")}, {FAKE_HANG, NULL}, {FAKE_CLOSE, NULL}, {FAKE_ACCEPT, NULL},
		{FAKE_READ, SHOWN("2")}, {FAKE_SEND, REFUSAL("2", "denied", "not permitted")},
		{FAKE_HANG, NULL}, {FAKE_CLOSE, NULL}, {FAKE_ACCEPT, NULL}, {FAKE_READ, "whoami"},
		{FAKE_SEND, REPLY("3", "{}")}, {FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(show(vault), COFFER_OK);
	ck_assert_int_eq(show(vault), COFFER_DENIED);
	ck_assert_str_eq(coffer_error_text(vault, COFFER_DENIED), "the daemon does not accept the token");
	ck_assert_int_eq(ask(vault), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_shows_the_token_on_every_connection)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, SHOWN("1")},
		{FAKE_SEND, REPLY("1", "{}")}, {FAKE_READ, "whoami"}, {FAKE_SEND, REPLY("2", "{}")},
		{FAKE_CLOSE, NULL}, {FAKE_ACCEPT, NULL}, {FAKE_READ, SHOWN("4")},
		{FAKE_SEND, REPLY("4", "{}")}, {FAKE_READ, "whoami"}, {FAKE_SEND, REPLY("5", "{}")},
		{FAKE_READ, "env.watch"}, {FAKE_SEND, REPLY("6", "{\"integration\":\"a\",\"env\":[]}")},
		{FAKE_HANG, NULL}, {FAKE_CLOSE, NULL}, {FAKE_ACCEPT, NULL}, {FAKE_READ, SHOWN("7")},
		{FAKE_SEND, REPLY("7", "{}")}, {FAKE_READ, "env.watch"},
		{FAKE_SEND, REPLY("8", "{\"integration\":\"a\",\"env\":[]}")}, {FAKE_END, NULL}};
	struct fake_server server = {0};
	const char *json = NULL;
	size_t len = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(show(vault), COFFER_OK);
	ck_assert_int_eq(ask(vault), COFFER_OK);
	ck_assert_int_eq(ask(vault), COFFER_OK); /* the idle connection was closed */
	ck_assert_int_eq(coffer_watch(vault, "a", &json, &len), COFFER_OK);
	ck_assert_int_eq(coffer_watch(vault, "a", &json, &len), COFFER_OK);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

START_TEST(lib_gives_the_refusal_of_a_token_that_was_revoked_since)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, SHOWN("1")},
		{FAKE_SEND, REPLY("1", "{}")}, {FAKE_CLOSE, NULL}, {FAKE_ACCEPT, NULL},
		{FAKE_READ, SHOWN("3")}, {FAKE_SEND, REFUSAL("3", "denied", "not permitted")},
		{FAKE_HANG, NULL}, {FAKE_END, NULL}};
	struct fake_server server = {0};

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(show(vault), COFFER_OK);
	ck_assert_int_eq(ask(vault), COFFER_DENIED);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* What a child connects as is its own to say. */
START_TEST(lib_leaves_the_token_to_the_parent)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, SHOWN("1")},
		{FAKE_SEND, REPLY("1", "{}")}, {FAKE_ACCEPT, NULL},
		{FAKE_READ, "\"id\":2,\"method\":\"whoami\""}, {FAKE_SEND, REPLY("2", "{}")},
		{FAKE_END, NULL}};
	struct fake_server server = {0};
	int status = 0;

	fake_start(&server, script);

	coffer *vault = open_at(server.path, 5000);

	ck_assert_int_eq(show(vault), COFFER_OK);

	pid_t child = fork();

	if (child == 0)
		_exit(ask(vault));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
}
END_TEST

/* In a program that may lock nothing the library still works, and its memory stays out of dumps. */
START_TEST(lib_works_where_no_memory_may_be_locked)
{
	struct rlimit none = {0, 0};
	char flags[512] = "";
	uid_t uid = geteuid();

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	/* Root may lock whatever the limit says. */
	if (uid == 0)
		ck_assert_int_eq(seteuid(65534), 0);

	coffer_env *env = fetch_env(THREE_VALUES);

	read_flags(variable_of(env, "A").value, flags, sizeof(flags));
	ck_assert_ptr_null(strstr(flags, " lo"));
	ck_assert_ptr_nonnull(strstr(flags, " dd"));
	coffer_env_free(env);
	ck_assert_int_eq(seteuid(uid), 0);
}
END_TEST

START_TEST(lib_tells_a_forked_child_that_values_are_not_inherited)
{
	coffer_env *env = fetch_env(THREE_VALUES);
	struct coffer_variable variable = {.size = sizeof(variable)};
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		bool is_told = coffer_env_get(env, "A", &variable) == COFFER_NOT_FOUND &&
			       coffer_env_at(env, 0, &variable) == COFFER_NOT_FOUND &&
			       coffer_env_inject(env, 0) == COFFER_NOT_FOUND;

		coffer_env_free(env);
		_exit(is_told ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(variable_of(env, "A").value, "\xff");
	coffer_env_free(env);
}
END_TEST

/* ---- what it leaves behind ---- */

/* Copies of text in the writable memory of a stopped child; sanitizers' reservations, which nothing of ours is in, are left out. */
static int count_copies(pid_t pid, const char *text)
{
	char path[64] = "";
	char line[512] = "";
	int copies = 0;
	size_t text_len = strlen(text);

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);

	int memory = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(memory, 0);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);

	FILE *maps = fopen(path, "re");

	while (fgets(line, sizeof(line), maps) != NULL) {
		uintptr_t from = 0;
		uintptr_t to = 0;
		char rights[5] = "";

		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w' ||
			to - from > 1u << 28)
			continue;

		char *bytes = malloc(to - from);
		ssize_t got = pread(memory, bytes, to - from, (off_t)from);

		for (char *at = bytes; got > 0 && at != NULL;) {
			at = memmem(at, (size_t)(bytes + got - at), text, text_len);
			if (at == NULL)
				break;
			copies++;
			at++;
		}
		free(bytes);
	}
	fclose(maps);
	close(memory);
	return copies;
}

/* The child: fetches, stops; frees, stops. */
static void be_client(const char *path)
{
	coffer *vault = open_at(path, 20000);
	coffer_env *env = NULL;

	if (coffer_fetch(vault, NULL, &env) != COFFER_OK)
		_exit(1);
	raise(SIGSTOP);
	coffer_env_free(env);
	coffer_close(vault);
	raise(SIGSTOP);
	_exit(0);
}

/* The child: reads a token from a pipe, shows it, wipes its own copy, stops; closes, stops. */
static void be_holder(const char *path, int fd)
{
	struct locked memory = {0};
	coffer *vault = open_at(path, 20000);
	ssize_t len = locked_map(128, true, &memory) == OK ? read(fd, memory.bytes, 128) : -1;

	if (len <= 0 || coffer_authenticate(vault, (const char *)memory.bytes, (size_t)len) != COFFER_OK)
		_exit(1);
	locked_unmap(&memory);
	raise(SIGSTOP);
	coffer_close(vault);
	raise(SIGSTOP);
	_exit(0);
}

static int wait_until_stopped(pid_t child)
{
	int status = 0;

	ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
	return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

/* P1: one copy while the handle has it, for the next connection; none afterwards. */
START_TEST(lib_leaves_no_copy_of_a_token_behind)
{
	unsigned char secret[TOKEN_SECRET_BYTES] = {0};
	char token[TOKEN_TEXT_MAX + 1] = "";
	char request[512] = "";
	struct place place = make_place();
	int listener = bind_socket(place.path);
	int fds[2] = {-1, -1};

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);

	pid_t child = fork();

	if (child == 0)
		be_holder(place.path, fds[0]);
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (unsigned char)(i * i + (size_t)getpid() * 7);

	size_t len = token_write(42, secret, token);

	ck_assert_int_eq(write(fds[1], token, len), (ssize_t)len);

	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	ck_assert_int_gt(recv(fd, request, sizeof(request), 0), 0);
	ck_assert_ptr_nonnull(strstr(request, token));
	ck_assert_int_eq(send(fd, REPLY("1", "{}"), strlen(REPLY("1", "{}")), MSG_NOSIGNAL),
		(ssize_t)strlen(REPLY("1", "{}")));
	ck_assert_int_eq(wait_until_stopped(child), SIGSTOP);
	ck_assert_int_eq(count_copies(child, token + 10), 1);
	kill(child, SIGCONT);
	ck_assert_int_eq(wait_until_stopped(child), SIGSTOP);
	ck_assert_int_eq(count_copies(child, token + 10), 0);
	kill(child, SIGCONT);
	ck_assert_int_eq(wait_until_stopped(child), 0);
	close(fd);
	close(fds[0]);
	close(fds[1]);
	close(listener);
	remove_place(&place);
}
END_TEST

/* P1: one copy while it is wanted, in its region; none afterwards. */
START_TEST(lib_leaves_no_copy_of_a_value_behind)
{
	static char answer[32768];
	char value[65] = "";
	struct place place = make_place();
	int listener = bind_socket(place.path);
	pid_t child = fork();

	if (child == 0)
		be_client(place.path);

	/* Made after the fork, so that the child can have it from the wire alone; long enough to make the reply grow. */
	for (size_t i = 0; i < sizeof(value) - 1; i++)
		value[i] = (char)('a' + (i * i + (size_t)getpid() * 7 + i * 11) % 26);
	snprintf(answer, sizeof(answer),
		ENV("{\"key\":\"A\",\"value\":\"%s\",\"version\":1,\"pad\":\"%20000d\"}"), value, 1);

	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char request[512] = "";

	ck_assert_int_gt(recv(fd, request, sizeof(request), 0), 0);
	ck_assert_int_eq(send(fd, answer, strlen(answer), MSG_NOSIGNAL), (ssize_t)strlen(answer));
	ck_assert_int_eq(wait_until_stopped(child), SIGSTOP);
	ck_assert_int_eq(count_copies(child, value), 1);
	kill(child, SIGCONT);
	ck_assert_int_eq(wait_until_stopped(child), SIGSTOP);
	ck_assert_int_eq(count_copies(child, value), 0);
	kill(child, SIGCONT);
	ck_assert_int_eq(wait_until_stopped(child), 0);
	close(fd);
	close(listener);
	remove_place(&place);
}
END_TEST

/* ---- when memory is short ---- */

/* This program is linked with --wrap for these: the library's calls come here. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
int __real_mprotect(void *at, size_t len, int rights);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_mprotect(void *at, size_t len, int rights);

static _Thread_local int allowed = -1; /* allocations until one fails; negative: none does */

static bool fails_now(void)
{
	return allowed >= 0 && allowed-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}

int __wrap_mprotect(void *at, size_t len, int rights)
{
	return fails_now() ? -1 : __real_mprotect(at, len, rights);
}

/* Answers every request with the same lines, until it is killed. */
static pid_t start_answering(int listener, const char *answer)
{
	char request[512] = "";
	pid_t child = fork();

	while (child == 0) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (recv(fd, request, sizeof(request), 0) > 0)
			send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		close(fd);
	}
	return child;
}

START_TEST(lib_survives_the_failure_of_any_allocation)
{
	struct place place = make_place();
	int listener = bind_socket(place.path);
	pid_t server = start_answering(listener, THREE_VALUES);
	int failures = 0;
	int error = COFFER_INTERNAL;

	for (int n = 0; error != COFFER_OK; n++) {
		struct coffer_options options = {.size = sizeof(options), .socket_path = place.path};
		coffer *vault = NULL;
		coffer_env *env = NULL;

		allowed = n;
		error = coffer_open(&options, &vault);
		if (error == COFFER_OK)
			error = coffer_fetch(vault, NULL, &env);
		allowed = -1;
		ck_assert(error == COFFER_OK || error == COFFER_INTERNAL);
		ck_assert((env != NULL) == (error == COFFER_OK));
		failures += error != COFFER_OK;
		coffer_env_free(env);
		coffer_close(vault);
	}
	/* handle, path, params, reply, tokens, environment, entries, values */
	ck_assert_int_eq(failures, 8);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(listener);
	remove_place(&place);
}
END_TEST

START_TEST(lib_survives_the_failure_of_any_allocation_while_it_watches)
{
	struct place place = make_place();
	int listener = bind_socket(place.path);
	pid_t server = start_answering(listener, WATCHED("1") CHANGED("4") CHANGED("5"));
	int failures = 0;
	int error = COFFER_INTERNAL;

	for (int n = 0; error != COFFER_OK; n++) {
		struct coffer_options options = {.size = sizeof(options), .socket_path = place.path};
		coffer *vault = NULL;
		const char *json = NULL;
		size_t len = 0;

		allowed = n;
		error = coffer_open(&options, &vault);
		if (error == COFFER_OK)
			error = coffer_watch(vault, NULL, &json, &len);
		for (int events = 0; error == COFFER_OK && events < 2; events++)
			error = coffer_watch_next(vault, 5000, NULL, &json, &len);
		allowed = -1;
		ck_assert(error == COFFER_OK || error == COFFER_INTERNAL);
		ck_assert((coffer_watch_fd(vault) >= 0) == (error == COFFER_OK));
		failures += error != COFFER_OK;
		coffer_close(vault);
	}
	/* handle, path, params, reply, rest, tokens; rest, tokens; tokens */
	ck_assert_int_eq(failures, 9);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(listener);
	remove_place(&place);
}
END_TEST

/* ---- where it would connect ---- */

START_TEST(lib_finds_its_socket_by_the_environment)
{
	char place[128] = "";

	setenv("COFFER_SOCKET", "/somewhere/else", 1);
	ck_assert_int_eq(coffer_default_socket(0, place, sizeof(place)), COFFER_OK);
	ck_assert_str_eq(place, "/somewhere/else");
	ck_assert_int_eq(coffer_default_socket(0, place, 15), COFFER_TOO_LARGE);
	ck_assert_int_eq(coffer_default_socket(0, NULL, 0), COFFER_USAGE);
	ck_assert_int_eq(coffer_default_socket(1u << 9, place, sizeof(place)), COFFER_USAGE);
	/* Whoever asks for the own vault gets it, and no value goes to another. */
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	ck_assert_int_eq(coffer_default_socket(COFFER_USER_VAULT, place, sizeof(place)), COFFER_OK);
	ck_assert_str_eq(place, "/run/user/7/coffer/coffer.sock");
	unsetenv("COFFER_SOCKET");
	/* An outage of the system's vault must not lead elsewhere; without one, the user's is meant. */
	bool has_system =
		access("/etc/coffer/cofferd.conf", F_OK) == 0 || access("/run/coffer/coffer.sock", F_OK) == 0;

	ck_assert_int_eq(coffer_default_socket(0, place, sizeof(place)), COFFER_OK);
	ck_assert_str_eq(place, has_system ? "/run/coffer/coffer.sock" : "/run/user/7/coffer/coffer.sock");
}
END_TEST

UNIT_MAIN("lib", lib_refuses_what_is_no_whole_token_before_it_asks, lib_has_no_token_after_a_refusal,
	lib_shows_the_token_on_every_connection, lib_gives_the_refusal_of_a_token_that_was_revoked_since,
	lib_leaves_the_token_to_the_parent, lib_leaves_no_copy_of_a_token_behind,
	lib_refuses_a_directory_that_others_may_write_to, lib_refuses_a_directory_that_others_may_replace,
	lib_refuses_what_belongs_to_somebody_else, lib_refuses_a_symlink_or_a_file_in_place_of_the_socket,
	lib_refuses_a_path_that_does_not_fit_an_address, lib_calls_a_missing_or_dead_socket_unreachable,
	lib_tells_a_socket_out_of_reach_from_a_missing_one,
	lib_waits_for_a_full_backlog_no_longer_than_its_timeout, lib_refuses_an_answer_that_is_not_understood,
	lib_refuses_an_answer_without_end, lib_waits_no_longer_than_its_timeout_in_all,
	lib_refuses_an_environment_that_is_not_understood, lib_tells_each_refusal_by_its_word,
	lib_hears_the_last_words_of_a_daemon_that_reads_nothing, lib_passes_on_the_daemons_sentence_and_pause,
	lib_hands_out_what_came_with_a_refusal_until_the_next_call,
	lib_asks_on_a_new_connection_after_any_doubt, lib_connects_again_when_an_idle_connection_was_closed,
	lib_never_sends_again_what_may_have_been_read, lib_connects_anew_in_a_forked_child,
	lib_keeps_clear_of_the_standard_descriptors, lib_goes_on_after_signals_and_partial_writes,
	lib_refuses_requests_that_would_not_be_one_line, lib_refuses_a_line_over_the_limit_before_it_is_sent,
	lib_refuses_options_that_it_does_not_know, lib_refuses_names_that_break_the_rules_before_it_asks,
	lib_asks_for_exactly_what_the_caller_wants, lib_asks_for_staged_values_where_the_caller_wants_them,
	lib_hands_out_the_text_of_a_result, lib_waits_for_no_event_without_a_subscription,
	lib_refuses_an_event_that_is_not_understood, lib_hands_out_every_event_behind_the_answer,
	lib_keeps_half_an_event_until_the_rest_comes, lib_ends_the_subscription_with_the_right,
	lib_ends_the_subscription_with_every_other_call, lib_leaves_the_subscription_to_the_parent,
	lib_releases_runs_by_their_id, lib_decodes_values_and_sorts_them_by_name,
	lib_sets_the_environment_as_told, lib_takes_answers_of_every_size,
	lib_keeps_values_in_memory_that_is_locked_and_not_dumped, lib_works_where_no_memory_may_be_locked,
	lib_tells_a_forked_child_that_values_are_not_inherited, lib_leaves_no_copy_of_a_value_behind,
	lib_survives_the_failure_of_any_allocation,
	lib_survives_the_failure_of_any_allocation_while_it_watches, lib_finds_its_socket_by_the_environment)
