/*
 * coffer doctor: what on this host weakens the promises, and how to mend each.  A check looks at one thing and says what it
 * found, or why it could not look; it never guesses that all is well.
 */
#ifndef COFFER_CLI_DOCTOR_H
#define COFFER_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "reply.h"
#include "request.h"

struct cli;

enum err doctor_run(struct cli *cli);
enum err doctor_print(const struct reply *reply); /* doctor_print.c */

/* ---- for the checks ---- */

enum doctor_severity { DOCTOR_PROBLEM, DOCTOR_ADVICE, DOCTOR_SEVERITY_COUNT };

struct doctor;
typedef void doctor_check_fn(struct doctor *doctor);

struct doctor_check {
	const char *id; /* stable; what --except takes */
	const char *text; /* what is well when nothing is found */
	doctor_check_fn *look;
};

struct doctor {
	struct cli *cli;
	const char *root; /* files are looked for below it; "": this host */
	const struct doctor_check *check; /* that looks */
	struct buf findings; /* JSON text, without the brackets */
	struct json_writer w; /* writes findings */
	struct buf reason; /* why the check could not look at all it should; "": it could */
	size_t found; /* by the check */
	size_t count[DOCTOR_SEVERITY_COUNT];
	bool has_failed; /* no memory */
};

/* Appends a formatted text; for short ones of ours. */
__attribute__((format(printf, 2, 3))) void doctor_say(struct buf *buf, const char *format, ...);

/*
 * Something is found.  object tells it from the check's other findings ("" where there is one at most); mend is a command
 * or a line to write.  Never give it a value (P1).
 */
struct doctor_finding {
	enum doctor_severity severity;
	struct buf object, text, mend;
};

/* Adds the finding, unless it is excepted, and clears its texts. */
void doctor_find(struct doctor *doctor, struct doctor_finding *finding);

/* The check could not look (at all of it); the first reason counts. */
__attribute__((format(printf, 2, 3))) void doctor_cannot(struct doctor *doctor, const char *format, ...);

/* Asks the daemon; when it does not answer, that is why the check cannot look. */
bool doctor_ask(struct doctor *doctor, enum request_kind kind, const char *params, struct reply *reply);

enum { DOCTOR_FILE_BYTES = 65536 };

/* A text file below the root, NUL-terminated, at most cap - 1 bytes of it.  False with errno. */
bool doctor_read(const struct doctor *doctor, const char *path, char *out, size_t cap);

/* The same of a file that must be there; else the check cannot look. */
bool doctor_need(struct doctor *doctor, const char *path, char *out, size_t cap);

/* ---- the checks, by file ---- */

doctor_check_fn doctor_shared_user; /* doctor_grants.c, and the next three */
doctor_check_fn doctor_login_shell;
doctor_check_fn doctor_user_gone;
doctor_check_fn doctor_grant_without_unit;
doctor_check_fn doctor_secret_in_unit; /* doctor_units.c, and the next two */
doctor_check_fn doctor_credential_type;
doctor_check_fn doctor_credential_name;
doctor_check_fn doctor_service; /* doctor_service.c */
doctor_check_fn doctor_root_key; /* doctor_vault.c, and the next three */
doctor_check_fn doctor_store_filesystem;
doctor_check_fn doctor_recovery;
doctor_check_fn doctor_unwatched;
doctor_check_fn doctor_swap; /* doctor_host.c, and the next four */
doctor_check_fn doctor_core_dumps;
doctor_check_fn doctor_ptrace;
doctor_check_fn doctor_kernel;
doctor_check_fn doctor_clock;

#endif
