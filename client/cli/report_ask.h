/*
 * One question to the daemon at a time, and taking over into a document what it said.
 */
#ifndef COFFER_CLI_REPORT_ASK_H
#define COFFER_CLI_REPORT_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "reply.h"
#include "request.h"

struct cli;

/* What is not set is not sent. */
struct question {
	const char *method;
	const char *name; /* of the integration */
	const char *key;
	int64_t days;
	int64_t limit;
};

/* The reply points into the connection's memory: valid until the next call.  Nothing is reported. */
enum err report_ask(struct cli *cli, struct question question, struct reply *reply);

/* Texts that must outlive the reply that they came in. */
struct names {
	struct buf text; /* each ends with a NUL */
	size_t count;
};

void report_names_clear(struct names *names);

#define NAMES_AUTO __attribute__((cleanup(report_names_clear))) struct names

/* Adds a member of each entry of an array.  ERR_PROTOCOL: there is no array. */
enum err report_names_add(
	struct names *names, const struct reply *reply, const char *path, const char *member);

/* Writes one member of the reply as it is (null where there is none), or all of them. */
void report_ask_member(struct json_writer *w, const char *key, const struct reply *reply, const char *path);
void report_ask_members(struct json_writer *w, const struct reply *reply);

#endif
