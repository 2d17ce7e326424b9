/*
 * libcoffer: how a program gets its credentials from the coffer daemon on this host.
 *
 * A complete program (tests/test_example.c is this very text; link with -lcoffer):
 *
 *     #include <coffer.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *             coffer *vault = NULL;
 *             coffer_env *env = NULL;
 *             int error = coffer_open(NULL, &vault);
 *
 *             if (error == COFFER_OK)
 *                     error = coffer_fetch(vault, NULL, &env);
 *             if (error == COFFER_OK)
 *                     error = coffer_env_inject(env, 0);
 *             if (error != COFFER_OK)
 *                     fprintf(stderr, "no credentials: %s\n", coffer_error_text(vault, error));
 *             else
 *                     printf("%zu credentials in the environment\n", coffer_env_count(env));
 *             coffer_env_free(env);
 *             coffer_close(vault);
 *             return error == COFFER_OK ? 0 : 1;
 *     }
 *
 * The library has no globals, starts no threads, installs no hooks or signal handlers, writes nothing and
 * never exits.  Handles are not thread-safe: one thread at a time per handle.  Every call that talks to
 * the daemon blocks for at most the handle's timeout.  Values live in memory that is locked (as far as
 * RLIMIT_MEMLOCK allows), kept out of core dumps and wiped when freed.
 *
 * After fork(2) a child may use the handle: it connects anew, as itself.  Fetched values are not inherited:
 * in the child they read as zeros, coffer_env_at and coffer_env_get answer COFFER_NOT_FOUND, and the child
 * fetches for itself or is given what it needs by coffer_env_inject before the fork.
 */
#ifndef COFFER_H
#define COFFER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COFFER_API __attribute__((visibility("default")))

/*
 * Errors.  The numbers never change.  0 is success.  "Retry" means that the same call may succeed later.
 */
enum coffer_error {
	COFFER_OK = 0,
	COFFER_DENIED = 10, /* not permitted, or no such thing: the daemon does not tell which */
	COFFER_NOT_FOUND = 11, /* no such object, or a key without a value */
	COFFER_CONFLICT = 12, /* e.g. several integrations are granted and none was named */
	COFFER_BAD_NAME = 13,
	COFFER_RESERVED_NAME = 14,
	COFFER_BAD_VALUE = 15,
	COFFER_TOO_LARGE = 16,
	COFFER_TOO_COMPLEX = 17,
	COFFER_IN_USE = 18,
	COFFER_UNTESTED = 19,
	COFFER_SUSPENDED = 20,
	COFFER_RETIRED = 21,
	COFFER_EXPIRED = 22,
	COFFER_RATE_LIMITED = 23, /* retry */
	COFFER_APPROVAL_REQUIRED = 24,
	COFFER_SEALED = 25, /* retry */
	COFFER_BUSY = 26, /* retry */
	COFFER_AUDIT_UNAVAILABLE = 27,
	COFFER_STORAGE_FULL = 28,
	COFFER_STORAGE = 29,
	COFFER_UNSUPPORTED = 30,
	COFFER_INTERNAL = 31,
	COFFER_UNREACHABLE = 50, /* retry: no daemon at the socket */
	COFFER_TIMEOUT = 51, /* retry */
	COFFER_PROTOCOL = 52, /* the answer is not understood */
	COFFER_UNSAFE_SOCKET = 53, /* somebody else could replace the socket */
	COFFER_CONFIG = 54, /* the command line's; no call of this library returns it */
	COFFER_USAGE = 55, /* a NULL or impossible argument */
	COFFER_BAD_REQUEST = 600,
	COFFER_UNKNOWN_METHOD = 601,
	COFFER_BAD_PARAMS = 602,
	COFFER_BAD_JSON = 700,
};

typedef struct coffer coffer; /* a connection to the daemon */
typedef struct coffer_env coffer_env; /* a fetched environment */

/* Set size to sizeof the struct; fields added later are then 0 for old programs. */
struct coffer_options {
	size_t size;
	const char *socket_path; /* wins over all else; NULL: coffer_default_socket of flags */
	int timeout_ms; /* per call; 0: 10 seconds; negative: no limit */
	unsigned flags; /* 0, or COFFER_USER_VAULT */
};

/* The user's own vault below XDG_RUNTIME_DIR instead of the system's, whatever COFFER_SOCKET says. */
#define COFFER_USER_VAULT 1u

/*
 * Prepares a connection; options NULL means all defaults.  Connects at the first call that needs the daemon, and
 * again when an idle connection was closed.  Before connecting the socket's directory is checked: it must
 * belong to root or to the caller and not be writable by others, and nobody else may be able to replace it.
 * In a set-user-ID program the environment is not looked at.
 * Needs: nothing.  On COFFER_OK *out is the caller's, to be given to coffer_close.  On an error *out is NULL.
 * Errors: COFFER_USAGE, COFFER_UNSUPPORTED (an option that this version does not know), COFFER_TOO_LARGE (the
 * socket's path), COFFER_INTERNAL (no memory).  Does not block.
 */
COFFER_API int coffer_open(const struct coffer_options *options, coffer **out);

/* Closes and frees; NULL is fine.  Environments fetched through it stay valid. */
COFFER_API void coffer_close(coffer *vault);

/*
 * The word of an error ("denied"), a constant; "unknown" for a number this version does not know.
 */
COFFER_API const char *coffer_error_word(int error);

/*
 * A sentence for people about the last failed call on this handle (vault may be NULL: a general one).
 * Valid until the next call on the handle.  Never contains a value.
 */
COFFER_API const char *coffer_error_text(const coffer *vault, int error);

/* 1 when the same call may succeed later without anybody's doing, else 0. */
COFFER_API int coffer_error_is_retry(int error);

/*
 * How long the daemon asked to wait before the last failed call on this handle is made again; 0: it did not say.
 * Negative: no wait will help, for this user may not reach the socket (COFFER_UNREACHABLE).
 */
COFFER_API int64_t coffer_retry_after_ms(const coffer *vault);

/*
 * What the daemon added to the refusal that the last coffer_call on this handle got: the JSON text of the error's
 * data (proto/PROTOCOL.md), such as the holders of a version that is COFFER_IN_USE.  *json_out is NUL-terminated and
 * valid until the next call on the handle.  Errors: COFFER_NOT_FOUND (it was no refusal of the daemon), COFFER_USAGE.
 * Does not block.
 */
COFFER_API int coffer_error_data(const coffer *vault, const char **json_out, size_t *len_out);

/*
 * Shows an access token, for an integration whose grants ask for one: len bytes without a newline or NUL.  Connects anew
 * and asks the daemon at once; from then on every connection of the handle shows it, also a subscription's.  The
 * token is copied into memory that is locked, kept out of core dumps, and wiped by coffer_close or the next call of this;
 * wiping the caller's copy is the caller's.  After an error the handle has no token and no connection.  A subscription ends.
 * Needs: nothing.  A child made by fork(2) has no token: it shows it again, from its own source.
 * Errors: COFFER_BAD_VALUE (not a whole token; nothing was sent), COFFER_DENIED (no such token, revoked, expired, or another
 * user's or unit's: the daemon does not tell which), COFFER_RATE_LIMITED, COFFER_SEALED, COFFER_STORAGE, COFFER_STORAGE_FULL, COFFER_USAGE, and
 * those of the connection.  When the token has been revoked since, any later call that has to connect gets COFFER_DENIED.
 * Blocks for at most the handle's timeout.
 */
COFFER_API int coffer_authenticate(coffer *vault, const char *token, size_t len);

/*
 * Who the daemon takes this process for, and what it may fetch, as the JSON text of the result of the
 * protocol's whoami (proto/PROTOCOL.md).  *json_out is NUL-terminated and valid until the next call on the handle.
 * Errors: those of the connection (COFFER_UNREACHABLE, COFFER_TIMEOUT, COFFER_UNSAFE_SOCKET, COFFER_PROTOCOL).
 */
COFFER_API int coffer_whoami(coffer *vault, const char **json_out, size_t *len_out);

struct coffer_fetch_options {
	size_t size;
	const char *integration; /* NULL: the only one this process is granted */
	const char *const *only; /* NULL, or a NULL-terminated list of keys: these and no others */
	const char *const *optional; /* NULL, or a NULL-terminated list of keys that may be without a value */
	unsigned flags; /* 0, or COFFER_STAGED */
};

/* Staged values where there are any, current ones for the other keys: what a test of a new version runs with. */
#define COFFER_STAGED 1u

/*
 * Fetches the environment that this process is granted; options NULL means all defaults.  The daemon records it.
 * On COFFER_OK *out is the caller's, to be given to coffer_env_free; it does not depend on the handle.
 * Errors: COFFER_DENIED, COFFER_CONFLICT, COFFER_NOT_FOUND, COFFER_SUSPENDED, COFFER_RETIRED, COFFER_EXPIRED, COFFER_RATE_LIMITED,
 * COFFER_SEALED, COFFER_BUSY, COFFER_AUDIT_UNAVAILABLE, COFFER_STORAGE, COFFER_BAD_NAME, COFFER_USAGE,
 * COFFER_UNSUPPORTED, and those of the connection.
 */
COFFER_API int coffer_fetch(coffer *vault, const struct coffer_fetch_options *options, coffer_env **out);

/* Wipes and frees; NULL is fine. */
COFFER_API void coffer_env_free(coffer_env *env);

/* Name of the integration, and the number of this run in the daemon's log; valid as long as env. */
COFFER_API const char *coffer_env_integration(const coffer_env *env);
COFFER_API const char *coffer_env_run(const coffer_env *env);

COFFER_API size_t coffer_env_count(const coffer_env *env);

/* Set size before the call.  Pointers stay valid as long as env. */
struct coffer_variable {
	size_t size;
	const char *name;
	const char *value; /* NUL-terminated; holds no other NUL */
	size_t value_len;
	uint64_t version;
	int64_t expires_ms; /* milliseconds since the epoch, 0: no expiry */
	const char *assignment; /* "NAME=value" as execve(2) takes it; value points into it */
};

/* The variable at index (0 … count-1), in order of names.  COFFER_NOT_FOUND, COFFER_USAGE.  Does not block. */
COFFER_API int coffer_env_at(const coffer_env *env, size_t index, struct coffer_variable *out);

/* The variable of this name.  COFFER_NOT_FOUND, COFFER_USAGE.  Does not block. */
COFFER_API int coffer_env_get(const coffer_env *env, const char *name, struct coffer_variable *out);

#define COFFER_KEEP_EXISTING 1u /* a variable that is already set wins */

/*
 * setenv(3) for each variable: copies them into this process's environment, which is ordinary memory; the
 * one call of this library that touches the environment.  Not while other threads use it.
 * Errors: COFFER_USAGE, COFFER_INTERNAL (no memory; some may have been set).
 */
COFFER_API int coffer_env_inject(const coffer_env *env, unsigned flags);

/*
 * Tells the daemon that this process has wiped what a run of its own gave it (coffer_env_run): it is no holder of
 * those versions any more.  A program that fetches anew and drops the old values calls it for the old run.
 * Errors: COFFER_DENIED (not a run of this process), COFFER_USAGE, and those of the connection.
 */
COFFER_API int coffer_release(coffer *vault, const char *run);

/*
 * Subscribes this handle to changes of an integration (NULL: the only one granted); use a handle of its own for it,
 * because every other call on it ends the subscription by connecting anew.
 * *json_out gets the current versions, as the JSON text of the result of env.watch (proto/PROTOCOL.md), NUL-terminated, valid until the
 * next call on the handle: compare them with those fetched, so that no change between the two calls is lost.
 * A child made by fork(2) has no subscription.
 * Errors: those of coffer_fetch.  Blocks for at most the handle's timeout.
 */
COFFER_API int coffer_watch(coffer *vault, const char *integration, const char **json_out, size_t *len_out);

/* The descriptor to wait on for POLLIN before coffer_watch_next, or -1 without a subscription; the library's, never to be closed. */
COFFER_API int coffer_watch_fd(const coffer *vault);

enum coffer_event {
	COFFER_EVENT_CHANGED = 1, /* other versions are current now */
	COFFER_EVENT_OVERFLOW = 2, /* changes were missed: fetch again */
	COFFER_EVENT_ENDED = 3, /* the right is gone; no more events come */
};

/*
 * Waits up to timeout_ms (negative: for ever; 0: not at all) for the next event.  On COFFER_OK *event_out is its kind and
 * *json_out the JSON text of its params, NUL-terminated, valid until the next call on the handle; both pointers may be NULL.
 * Errors: COFFER_TIMEOUT (none came; the subscription stands), COFFER_USAGE (no subscription); after any other error the
 * subscription is gone (COFFER_UNREACHABLE, COFFER_PROTOCOL): subscribe again.
 */
COFFER_API int coffer_watch_next(
	coffer *vault, int timeout_ms, enum coffer_event *event_out, const char **json_out, size_t *len_out);

/*
 * Any method of the protocol, for tools: params is a JSON object's text on one line (NULL: {}), result the text of
 * the result.  params is neither copied nor changed.  *result_out is NUL-terminated and valid until the next call on
 * the handle.  The request is sent at most once to a daemon that can have read it.
 * Errors: every row of enum coffer_error.
 */
COFFER_API int coffer_call(coffer *vault, const char *method, const char *params, size_t params_len,
	const char **result_out, size_t *len_out);

/*
 * Where coffer_open would connect with these flags: the user's vault with COFFER_USER_VAULT; else $COFFER_SOCKET,
 * else the system's, or the user's on a host without a system vault.  Writes at most size bytes with the NUL.
 * COFFER_TOO_LARGE when it does not fit.
 */
COFFER_API int coffer_default_socket(unsigned flags, char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif
