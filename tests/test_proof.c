/*
 * libcoffer as it behaves on kernels before 6.5 (this program's copy of it is built that way): it proves by itself
 * which process is at its end of a connection before it asks for anything (P9).
 */
#include "unit.h"

#include "coffer.h"
#include "fake_server.h"

#define NONCE "00112233445566778899aabbccddeeff"
#define HELLO "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\","
#define PROVE \
	"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"session.prove\",\"params\":{\"nonce\":\"" NONCE "\"}}"

static int ask(coffer *vault)
{
	const char *json = NULL;
	size_t len = 0;

	return coffer_whoami(vault, &json, &len);
}

static int watch(coffer *vault)
{
	const char *json = NULL;
	size_t len = 0;

	return coffer_watch(vault, NULL, &json, &len);
}

static int call_twice(const struct fake_step *script, int (*call)(coffer *vault))
{
	struct fake_server server = {0};
	struct coffer_options options = {.size = sizeof(options), .timeout_ms = 5000};
	coffer *vault = NULL;

	fake_start(&server, script);
	options.socket_path = server.path;
	ck_assert_int_eq(coffer_open(&options, &vault), COFFER_OK);

	int error = call(vault);

	if (error == COFFER_OK)
		error = call(vault);
	coffer_close(vault);
	ck_assert(fake_stop(&server));
	return error;
}

START_TEST(proof_stops_at_a_challenge_of_another_kind)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, HELLO},
		{FAKE_SEND, "{\"id\":1,\"result\":{\"challenge\":\"\\\"}\"}}\n"}, {FAKE_HANG, NULL},
		{FAKE_END, NULL}};

	ck_assert_int_eq(call_twice(script, ask), COFFER_PROTOCOL);
}
END_TEST

START_TEST(proof_that_is_refused_ends_the_call)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, HELLO},
		{FAKE_SEND, "{\"id\":1,\"result\":{\"challenge\":\"" NONCE "\"}}\n"}, {FAKE_READ, PROVE},
		{FAKE_SEND, "{\"id\":2,\"error\":{\"data\":{\"error\":\"denied\"}}}\n"}, {FAKE_HANG, NULL},
		{FAKE_END, NULL}};

	ck_assert_int_eq(call_twice(script, ask), COFFER_DENIED);
}
END_TEST

START_TEST(proof_is_left_out_where_the_daemon_asks_for_none)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, HELLO},
		{FAKE_SEND, "{\"id\":1,\"result\":{\"protocol\":1}}\n"},
		{FAKE_READ, "\"id\":2,\"method\":\"whoami\""}, {FAKE_SEND, "{\"id\":2,\"result\":{}}\n"},
		{FAKE_READ, "\"id\":3,\"method\":\"whoami\""}, {FAKE_SEND, "{\"id\":3,\"result\":{}}\n"},
		{FAKE_END, NULL}};

	ck_assert_int_eq(call_twice(script, ask), COFFER_OK);
}
END_TEST

START_TEST(proof_comes_once_and_before_the_first_request)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, HELLO},
		{FAKE_SEND, "{\"id\":1,\"result\":{\"challenge\":\"" NONCE "\"}}\n"}, {FAKE_READ, PROVE},
		{FAKE_SEND, "{\"id\":2,\"result\":{}}\n"}, {FAKE_READ, "\"id\":3,\"method\":\"whoami\""},
		{FAKE_SEND, "{\"id\":3,\"result\":{}}\n"}, {FAKE_READ, "\"id\":4,\"method\":\"whoami\""},
		{FAKE_SEND, "{\"id\":4,\"result\":{}}\n"}, {FAKE_END, NULL}};

	ck_assert_int_eq(call_twice(script, ask), COFFER_OK);
}
END_TEST

/* Each subscription is a connection of its own, and events are let through on none before it is proven. */
START_TEST(proof_comes_before_every_subscription)
{
	static const struct fake_step script[] = {{FAKE_ACCEPT, NULL}, {FAKE_READ, HELLO},
		{FAKE_SEND, "{\"id\":1,\"result\":{\"challenge\":\"" NONCE "\"}}\n"}, {FAKE_READ, PROVE},
		{FAKE_SEND, "{\"id\":2,\"result\":{}}\n"}, {FAKE_READ, "\"id\":3,\"method\":\"env.watch\""},
		{FAKE_SEND, "{\"id\":3,\"result\":{}}\n"}, {FAKE_HANG, NULL}, {FAKE_CLOSE, NULL},
		{FAKE_ACCEPT, NULL}, {FAKE_READ, "\"id\":4,\"method\":\"hello\""},
		{FAKE_SEND, "{\"id\":4,\"result\":{}}\n{\"method\":\"env.changed\",\"params\":{}}\n"},
		{FAKE_HANG, NULL}, {FAKE_END, NULL}};

	ck_assert_int_eq(call_twice(script, watch), COFFER_PROTOCOL);
}
END_TEST

UNIT_MAIN("proof", proof_stops_at_a_challenge_of_another_kind, proof_that_is_refused_ends_the_call,
	proof_is_left_out_where_the_daemon_asks_for_none, proof_comes_once_and_before_the_first_request,
	proof_comes_before_every_subscription)
