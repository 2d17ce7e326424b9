/*
 * May this principal do this here?  Roles come from the configuration, access to values from grants alone:
 * no role opens a value (P2, P3).  The default answer is no.
 */
#ifndef COFFER_AUTH_POLICY_H
#define COFFER_AUTH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include "request.h"

enum role { ROLE_ADMIN = 1, ROLE_OPERATOR = 2, ROLE_AUDITOR = 4 };

struct role_members {
	uid_t *uids;
	size_t uid_count;
	gid_t *gids;
	size_t gid_count;
};

/* Resolved from names by whoever loads the configuration; owned by them. */
struct roles {
	struct role_members admin, operator, auditor;
};

/* Set of enum role.  uid 0 and the daemon's own uid are admins. */
unsigned policy_roles(const struct roles *roles, const struct principal *principal);

/* The same for somebody who is not here, and for whoever is in a group. */
unsigned policy_roles_of(const struct roles *roles, uid_t uid, gid_t *gids, size_t gid_count);
unsigned policy_roles_of_group(const struct roles *roles, gid_t gid);

/* RIGHT_GRANTED is never given by a role. */
bool policy_allows(enum right right, unsigned roles);

/* Does it suffice to manage the integration that is asked about? */
bool policy_allows_manager(enum right right);

/* Is this principal one of them, by its own number or by a group? */
bool policy_is_member(const struct role_members *members, const struct principal *principal);

struct grant_rule {
	bool has_uid;
	uid_t uid;
	bool has_gid;
	gid_t gid;
	const char *unit; /* name or pattern; NULL: not a condition */
	bool is_staged_only; /* not for current values */
};

/* A stored token, as far as the decision needs it. */
struct token_facts {
	uid_t uid;
	const char *unit; /* name or pattern; NULL: anywhere */
	int64_t expires_ms; /* 0: never */
	bool is_revoked;
};

/* What is asked for under a grant. */
enum grant_use { GRANT_CURRENT, GRANT_STAGED };

struct condition_answer {
	const char *condition; /* user, group, unit, staged */
	const char *reason; /* NULL: it holds; a constant */
};

enum { CONDITIONS_MAX = 4 };

/* Each condition that the rule has, and whether it holds: how many. */
size_t policy_grant_conditions(const struct grant_rule *rule, enum grant_use use,
	const struct principal *principal, struct condition_answer out[CONDITIONS_MAX]);

/* All conditions must hold, and there must be at least one.  reason_out: which one failed, a constant. */
bool policy_grant_matches(const struct grant_rule *rule, enum grant_use use,
	const struct principal *principal, const char **reason_out);

/*
 * Does this grant give a unit its credentials, asked for by the service manager?  Only a rule of a unit alone does: what the
 * other conditions ask about is not there yet.  reason_out: why not, a constant.
 */
bool policy_delivers(
	const struct grant_rule *rule, bool needs_token, const char *unit, const char **reason_out);

/* May this principal use this token now?  Asked when it is shown, and again at every use.  reason_out: why not, a constant. */
bool policy_token_is_usable(const struct token_facts *token, const struct principal *principal,
	int64_t now_ms, const char **reason_out);

#endif
