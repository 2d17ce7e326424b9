/*
 * What the requests about secrets share: a secret's row, its versions' states, how often they were fetched.
 */
#ifndef COFFER_CORE_SECRET_ROWS_H
#define COFFER_CORE_SECRET_ROWS_H

#include "handler.h"

enum { SECRETS_PER_INTEGRATION = 2 * ENV_KEYS_MAX }; /* registered, with or without a value */

struct secret_row {
	bool exists;
	struct store_secret row; /* texts in the request's arena */
};

/* The row of the request's key; OK with exists false when there is none.  Sets record.key. */
enum err secrets_load(
	struct call *call, const unsigned char integration_id[STORE_ID_BYTES], struct secret_row *out);

/* The integration and the secret that the request names, or NOT_FOUND. */
enum err secrets_find(struct call *call, struct integration *integration, struct secret_row *out);

/* Two people at once: one gets ok, the other learns that the key has changed (CONFLICT). */
enum err secrets_check_expected(struct call *call, const struct secret_row *secret);

/* RETIRED: versions of the integration may end, and nothing else of its secrets changes any more. */
enum err secrets_check_open(struct call *call, const struct integration *integration);

/* One version, as far as its end or its promotion needs it; version 0: there is none. */
struct version_facts {
	uint64_t version;
	enum version_state state;
	uint32_t value_bytes;
	int64_t created_ms;
	int64_t expires_ms;
	const char *issuer_ref; /* in the request's arena */
};

/* The versions of one key, in one reading. */
struct version_survey {
	struct version_facts wanted; /* the one that the request's version names */
	struct version_facts staged;
	struct version_facts current;
	struct version_facts draining; /* one of them */
	size_t draining_count;
	size_t live_count; /* not revoked */
};

/* Of the key in record.key. */
enum err secrets_survey(
	struct call *call, const unsigned char integration_id[STORE_ID_BYTES], struct version_survey *out);

/* Does this version exist, and is it not revoked?  Is it in this state? */
enum err secrets_is_live(struct call *call, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, bool *is_live_out);
enum err secrets_is_in_state(struct call *call, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, enum version_state state, bool *is_in_state_out);

/*
 * Is there room for a value of this size class beside the current ones of the other keys?  TOO_LARGE.  *replaced_out: the
 * current version of the key in record.key, 0 without one.
 */
enum err secrets_check_room(
	struct call *call, const struct integration *integration, size_t class_bytes, uint64_t *replaced_out);

const char *secrets_state_word(enum version_state state);

/* A version of the key in record.key that was in one state is in another from now on; shredding it is the caller's (P10). */
enum err secrets_note_state(struct call *call, const struct integration *integration, uint64_t version,
	const char *old, const char *new);
enum err secrets_set_state(struct call *call, const struct integration *integration, uint64_t version,
	enum version_state old, enum version_state new);

/* History and record of a text of the secret (version 0) or of a version; nothing when it is as it was. */
enum err secrets_note_text(struct call *call, const struct integration *integration, uint64_t version,
	enum field field, const char *old, const char *new);

/* Members key, version and state of a result. */
void secrets_write_state(struct call *call, const char *key, uint64_t version, enum version_state state);

/*
 * How often and when versions were fetched: one reading of the store for a whole request, because the
 * history of an integration may be long.  Lives in the request's arena.
 */
struct uses;

struct use {
	uint64_t fetches;
	int64_t last_ms; /* 0: never */
};

/* Of one key, or of all with NULL. */
enum err uses_load(struct call *call, const unsigned char integration_id[STORE_ID_BYTES], const char *key,
	const struct uses **out);
struct use uses_of_version(const struct uses *uses, const char *key, uint64_t version);

/* Of all versions from the oldest that exists on: a removed key of the same name is not this one. */
struct use uses_of_key(const struct uses *uses, const char *key, uint64_t oldest);
void uses_write(struct json_writer *w, struct use use);

/* The highest version of the key that was ever fetched, also of a key that was removed since. */
enum err uses_newest(struct call *call, const unsigned char integration_id[STORE_ID_BYTES], const char *key,
	uint64_t *newest_out);

/* ---- secret_record.c ---- */

/* The secret's own row: made at the first put, its texts replaced by those that the request gives; its number of versions grows by one. */
enum err secrets_put_row(struct call *call, const struct integration *integration, struct secret_row *secret);

/* Members key, description, issuer and access. */
void secrets_write_record(struct json_writer *w, const struct store_secret *row);

/* ---- secret_destroy.c ---- */

/* All values of the integration end, and the data key that sealed them (P10); those to come have another one. */
enum err secrets_destroy(struct call *call, struct integration *integration);

/* ---- secret_tests.c ---- */

/* Would the version's verdicts let it be promoted? */
enum err secret_tests_passed(struct call *call, const struct integration *integration, const char *key,
	const struct version_facts *version, bool *passed_out);

/* The same for the key in record.key, as a refusal: UNTESTED. */
enum err secret_tests_check(
	struct call *call, const struct integration *integration, const struct version_facts *version);

/* Member tests of a version. */
enum err secret_tests_write(struct call *call, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version);

#endif
