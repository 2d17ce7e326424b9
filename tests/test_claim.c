/* What a peer's address on the credentials socket claims, and when it is believed (P9). */
#include "claim.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

#define UNIT_OF_200 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.service"

/* With its length, so that a NUL in it or behind it counts. */
#define ADDRESS(text) text, sizeof(text) - 1

START_TEST(claim_refuses_whatever_the_service_manager_does_not_write)
{
	static const struct {
		const char *address;
		size_t len;
	} hostile[] = {{"", 0}, {ADDRESS("\0")}, {ADDRESS("/run/coffer/credentials.sock")},
		{ADDRESS("1a/unit/x.service/key")}, {ADDRESS("\0\0001a/unit/x.service/key")},
		{ADDRESS("\0/unit/x.service/key")}, {ADDRESS("\0unit/x.service/key")},
		{ADDRESS("\0001A/unit/x.service/key")}, {ADDRESS("\0000x1a/unit/x.service/key")},
		{ADDRESS("\0-1a/unit/x.service/key")}, {ADDRESS("\0 1a/unit/x.service/key")},
		{ADDRESS("\0001g/unit/x.service/key")},
		{ADDRESS("\0"
			 "0123456789abcdef0/unit/x.service/key")},
		{ADDRESS("\0001a")}, {ADDRESS("\0001a/")}, {ADDRESS("\0001a/unit")},
		{ADDRESS("\0001a/unit/")}, {ADDRESS("\0001a/unit/x.service")},
		{ADDRESS("\0001a/unit/x.service/")}, {ADDRESS("\0001a/unit//key")},
		{ADDRESS("\0001a//unit/x.service/key")}, {ADDRESS("\0001a/Unit/x.service/key")},
		{ADDRESS("\0001a/units/x.service/key")}, {ADDRESS("\0001a/user/x.service/key")},
		{ADDRESS("\0001a/unit/x.service/key/")}, {ADDRESS("\0001a/unit/x.service/a/key")},
		{ADDRESS("\0001a/unit/a/../x.service/key")}, {ADDRESS("\0001a/unit/x/key")},
		{ADDRESS("\0001a/unit/.service/key")}, {ADDRESS("\0001a/unit/x@.service/key")},
		{ADDRESS("\0001a/unit/x y.service/key")}, {ADDRESS("\0001a/unit/x\n.service/key")},
		{ADDRESS("\0001a/unit/x\0.service/key")}, {ADDRESS("\0001a/unit/x*.service/key")},
		{ADDRESS("\0001a/unit/x@*.service/key")}, {ADDRESS("\0001a/unit/\xc3\xa4.service/key")},
		{ADDRESS("\0001a/unit/x.services/key")}, {ADDRESS("\0001a/unit/..\0.service/key")},
		{ADDRESS("\0001a/unit/../x.service/key")}, {ADDRESS("\0001a/unit/x.service/.")},
		{ADDRESS("\0001a/unit/x.service/..")}, {ADDRESS("\0001a/unit/x.service/k\0")},
		{ADDRESS("\0001a/unit/x.service/k\0y")}, {ADDRESS("\0001a/unit/x.service/k:y")},
		{ADDRESS("\0001a/unit/x.service/k\ny")}, {ADDRESS("\0001a/unit/x.service/k\x7fy")},
		{ADDRESS("\0001a/unit/x.service/k\xc3\xa4")},
		{ADDRESS("\0001a/unit/" UNIT_OF_200 UNIT_OF_200 "/key")},
		{ADDRESS("\0001a/unit/x.service/" UNIT_OF_200)}};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct claim claim = {.unit = "untouched"};

		ck_assert_msg(
			!claim_parse(hostile[i].address, hostile[i].len, &claim), "number %zu is taken", i);
		ck_assert_str_eq(claim.unit, "untouched");
	}
}
END_TEST

/* Each proper beginning of a good address but those that end in a shorter name of a credential. */
START_TEST(claim_refuses_an_address_that_is_cut_off)
{
	static const char address[] = "\0001a/unit/x.service/key";
	struct claim claim = {0};

	for (size_t len = 0; len <= sizeof("\0001a/unit/x.service/") - 1; len++)
		ck_assert_msg(!claim_parse(address, len, &claim), "%zu bytes are taken", len);
}
END_TEST

static void check_claim(const char *address, size_t len, const char *unit, const char *name)
{
	struct claim claim = {0};

	ck_assert(claim_parse(address, len, &claim));
	ck_assert_str_eq(claim.unit, unit);
	ck_assert_str_eq(claim.name, name);
}

START_TEST(claim_takes_names_as_they_are)
{
	check_claim(ADDRESS("\0f85678a62c885b2c/unit/t1.service/foo"), "t1.service", "foo");
	check_claim(ADDRESS("\0"
			    "0/unit/t1.service/API_KEY"),
		"t1.service", "API_KEY");
	check_claim(ADDRESS("\0001/unit/t3@inst-1.service/a.b-c d"), "t3@inst-1.service", "a.b-c d");
	check_claim(ADDRESS("\0001/unit/t3@a\\x2fb.service/in_a\\x2fb"), "t3@a\\x2fb.service", "in_a\\x2fb");
	check_claim(ADDRESS("\0001/unit/web.socket/..."), "web.socket", "...");
	check_claim(ADDRESS("\0001/unit/unit.service/unit"), "unit.service", "unit");
}
END_TEST

/* ---- with real sockets ---- */

/* The server's end of a connection from a socket with this address; the client's end stays open. */
static int connected_from(const char *address, size_t len)
{
	struct sockaddr_un client = {.sun_family = AF_UNIX};
	struct sockaddr_un server = {.sun_family = AF_UNIX};
	socklen_t server_len = sizeof(server);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&server, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&server, &server_len), 0);
	if (len > 0) {
		memcpy(client.sun_path, address, len);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&client,
					 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			0);
	}
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&server, server_len), 0);
	return accept(listener, NULL, NULL);
}

/* With a number of its own, of this process and call: addresses are the whole host's. */
static int connected_as(const char *what)
{
	static unsigned calls = 0;
	char address[108] = "";
	int len = snprintf(
		address + 1, sizeof(address) - 1, "%x%02x/unit/%s", (unsigned)getpid(), calls++, what);

	return connected_from(address, (size_t)len + 1);
}

/* As peer_identify leaves it for a process of root in this unit. */
static struct principal somebody_in(const char *unit)
{
	struct principal principal = {
		.pid = getpid(), .pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), .is_pid_proven = true};

	snprintf(principal.unit, sizeof(principal.unit), "%s", unit);
	return principal;
}

static void check_refused(int fd, const struct principal *principal, const char *reason_part)
{
	struct claim claim = {0};
	const char *reason = NULL;

	ck_assert_int_eq(claim_take(fd, principal, &claim, &reason), ERR_DENIED);
	ck_assert_ptr_nonnull(reason);
	ck_assert_msg(strstr(reason, reason_part) != NULL, "%s", reason);
	close(fd);
}

START_TEST(claim_of_anybody_but_root_is_refused)
{
	struct principal user = somebody_in("x.service");

	user.uid = 1000; /* as a user's service manager */
	check_refused(connected_as("x.service/key"), &user, "root");
	peer_clear(&user);
}
END_TEST

START_TEST(claim_without_a_managers_address_is_refused)
{
	struct principal root = somebody_in("x.service");

	check_refused(connected_from("", 0), &root, "address");
	check_refused(connected_as("x.service"), &root, "address");
	check_refused(connected_as("x.service/a/b"), &root, "address");
	peer_clear(&root);
}
END_TEST

START_TEST(claim_in_another_units_name_is_refused)
{
	struct principal root = somebody_in("x.service");
	struct principal nowhere = somebody_in("");

	check_refused(connected_as("y.service/key"), &root, "not in that unit");
	check_refused(connected_as("x.servic/key"), &root, "address");
	check_refused(connected_as("init.scope/key"), &root, "not in that unit");
	nowhere.unit_reason = "the caller's cgroup belongs to no unit";
	check_refused(connected_as("x.service/key"), &nowhere, "no unit");
	peer_clear(&root);
	peer_clear(&nowhere);
}
END_TEST

START_TEST(claim_of_a_process_that_has_ended_is_refused)
{
	int gone[2] = {-1, -1};
	struct principal root = somebody_in("x.service");

	close(root.pidfd);
	ck_assert_int_eq(pipe(gone), 0);
	ck_assert_int_eq(write(gone[1], "", 1), 1);
	root.pidfd = gone[0]; /* readable, as a pidfd is when its process has ended */
	check_refused(connected_as("x.service/key"), &root, "ended");
	root.pidfd = -1;
	check_refused(connected_as("x.service/key"), &root, "held");
}
END_TEST

static void check_taken(const char *in_unit, const char *what, const char *unit)
{
	struct principal root = somebody_in(in_unit);
	struct claim claim = {0};
	const char *reason = NULL;
	int fd = connected_as(what);

	ck_assert_int_eq(claim_take(fd, &root, &claim, &reason), OK);
	ck_assert_ptr_null(reason);
	ck_assert_str_eq(claim.unit, unit);
	ck_assert_str_eq(claim.name, "key");
	close(fd);
	peer_clear(&root);
}

START_TEST(claim_of_a_process_in_the_unit_is_taken)
{
	check_taken("x.service", "x.service/key", "x.service");
	check_taken("t@a\\x2fb.service", "t@a\\x2fb.service/key", "t@a\\x2fb.service");
	check_taken("init.scope", "x.service/key", "x.service");
}
END_TEST

/* Where SO_PEERPIDFD is missing the peer cannot prove itself: its cgroup is read, but for root alone. */
START_TEST(claim_without_proof_takes_the_cgroups_word_for_root)
{
	struct principal root = somebody_in("");
	char unit[UNIT_BYTES_MAX + 1] = "";

	root.is_pid_proven = false;
	root.uid = 1000;
	ck_assert_ptr_nonnull(strstr(peer_find_unit(&root, unit), "not proven"));
	ck_assert_str_eq(unit, "");
	root.uid = 0;

	const char *reason = peer_find_unit(&root, unit);

	ck_assert_msg((reason == NULL) == (unit[0] != '\0'), "%s", reason);
	if (reason == NULL) /* the tests run in a unit: another one's name is refused */
		check_refused(connected_as("never-a-unit.service/key"), &root, "not in that unit");
	else
		check_refused(connected_as("x.service/key"), &root, reason);
	peer_clear(&root);
}
END_TEST

UNIT_MAIN("claim", claim_refuses_whatever_the_service_manager_does_not_write,
	claim_refuses_an_address_that_is_cut_off, claim_takes_names_as_they_are,
	claim_of_anybody_but_root_is_refused, claim_without_a_managers_address_is_refused,
	claim_in_another_units_name_is_refused, claim_of_a_process_that_has_ended_is_refused,
	claim_of_a_process_in_the_unit_is_taken, claim_without_proof_takes_the_cgroups_word_for_root)
