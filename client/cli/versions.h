/*
 * Where the versions of a secret stand, and requests about one of them.
 */
#ifndef COFFER_CLI_VERSIONS_H
#define COFFER_CLI_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "reply.h"
#include "request.h"
#include "text.h"

struct cli;

/* 0: there is none. */
struct standing {
	int64_t newest;
	int64_t current;
	int64_t staged;
	int64_t draining; /* the oldest draining one that is older than the current one */
	bool is_tested; /* the staged one, well enough to be promoted */
	char verdict[RUN_ID_BYTES + 1]; /* run of the staged one's newest verdict, or "" */
	bool has_passed; /* that verdict */
};

/* That the arguments name what can be, before anything is done.  Errors are reported. */
enum err versions_check_names(const struct cli *cli);

/* From a result of secret.show. */
struct standing versions_sum(const struct reply *shown);

/* Asks for the secret that the arguments name.  Errors as cli_try: not reported. */
enum err versions_read(struct cli *cli, struct standing *out);

/* A request about one version of the secret that the arguments name. */
struct version_request {
	enum request_kind kind;
	int64_t version;
	int64_t expect_version; /* 0: whatever the newest is */
	bool is_untested;
	bool is_processes_only;
};

/* Errors as cli_try: not reported. */
enum err versions_try(struct cli *cli, const struct version_request *request, struct reply *reply);

#endif
