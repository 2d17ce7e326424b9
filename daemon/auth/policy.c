/*
 * The decisions, as pure functions of what the kernel said and what was configured or granted.
 *
 * Everything starts from no: a right without a row, a rule without a condition, a unit that is not proven,
 * a user or group that the kernel could not translate (P2, P9).  No role reaches RIGHT_GRANTED (P3).
 */
#include "policy.h"

#include <unistd.h>

#include "self.h"

static bool is_real_uid(uid_t uid)
{
	return uid != PEER_OVERFLOW_ID && uid != (uid_t)-1;
}

static bool is_real_gid(gid_t gid)
{
	return gid != PEER_OVERFLOW_ID && gid != (gid_t)-1;
}

static bool matches_gid(gid_t gid, const struct principal *principal)
{
	return is_real_gid(gid) && peer_has_group(principal, gid);
}

bool policy_is_member(const struct role_members *members, const struct principal *principal)
{
	if (!is_real_uid(principal->uid))
		return false;
	for (size_t i = 0; i < members->uid_count; i++)
		if (members->uids[i] == principal->uid)
			return true;
	for (size_t i = 0; i < members->gid_count; i++)
		if (matches_gid(members->gids[i], principal))
			return true;
	return false;
}

unsigned policy_roles(const struct roles *roles, const struct principal *principal)
{
	const struct {
		enum role role;
		const struct role_members *members;
	} rows[] = {{ROLE_ADMIN, &roles->admin},
		{
			ROLE_OPERATOR,
			&roles->operator},
			{ROLE_AUDITOR, &roles->auditor},
	};
	unsigned set = 0;

	if (!is_real_uid(principal->uid))
		return 0;
	if (principal->uid == 0 || principal->uid == self_uid())
		set = ROLE_ADMIN;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (policy_is_member(rows[i].members, principal))
			set |= rows[i].role;
	return set;
}

unsigned policy_roles_of(const struct roles *roles, uid_t uid, gid_t *gids, size_t gid_count)
{
	const struct principal principal = {
		.uid = uid, .gid = (gid_t)-1, .groups = gids, .group_count = gid_count, .pidfd = -1};

	return policy_roles(roles, &principal);
}

static bool has_gid(const struct role_members *members, gid_t gid)
{
	for (size_t i = 0; i < members->gid_count; i++)
		if (members->gids[i] == gid)
			return is_real_gid(gid);
	return false;
}

unsigned policy_roles_of_group(const struct roles *roles, gid_t gid)
{
	return (has_gid(&roles->admin, gid) ? ROLE_ADMIN : 0U) |
	       (has_gid(&roles->operator, gid) ? ROLE_OPERATOR : 0U) |
	       (has_gid(&roles->auditor, gid) ? ROLE_AUDITOR : 0U);
}

bool policy_allows(enum right right, unsigned roles)
{
	static const unsigned enough[] = {
		[RIGHT_ADMIN] = ROLE_ADMIN,
		[RIGHT_READER] = ROLE_ADMIN | ROLE_OPERATOR | ROLE_AUDITOR,
		[RIGHT_AUDITOR] = ROLE_ADMIN | ROLE_AUDITOR,
		[RIGHT_MANAGER] = ROLE_ADMIN | ROLE_OPERATOR,
		[RIGHT_KEEPER] = ROLE_ADMIN,
		[RIGHT_VIEWER] = ROLE_ADMIN | ROLE_OPERATOR | ROLE_AUDITOR,
		[RIGHT_GRANTED] = 0, /* P3 */
	};

	if (right == RIGHT_ANYONE)
		return true;
	return (size_t)right < sizeof(enough) / sizeof(enough[0]) && (enough[right] & roles) != 0;
}

bool policy_allows_manager(enum right right)
{
	return right == RIGHT_MANAGER || right == RIGHT_KEEPER || right == RIGHT_VIEWER;
}

/* ---- the conditions of a rule: NULL when it holds, or why it does not ---- */

static const char *check_user(
	const struct grant_rule *rule, enum grant_use use, const struct principal *principal)
{
	(void)use;
	return rule->uid != principal->uid ? "the rule is for another user" : NULL;
}

static const char *check_group(
	const struct grant_rule *rule, enum grant_use use, const struct principal *principal)
{
	(void)use;
	return !matches_gid(rule->gid, principal) ? "the caller is not in the rule's group" : NULL;
}

static const char *check_unit(
	const struct grant_rule *rule, enum grant_use use, const struct principal *principal)
{
	(void)use;
	if (principal->unit[0] == '\0')
		return "the rule is for a unit, and the caller has no proven unit";
	return !text_unit_matches(rule->unit, principal->unit) ? "the rule is for another unit" : NULL;
}

static const char *check_staged(
	const struct grant_rule *rule, enum grant_use use, const struct principal *principal)
{
	(void)rule;
	(void)principal;
	return use != GRANT_STAGED ? "the rule is for staged values only" : NULL; /* P2 */
}

size_t policy_grant_conditions(const struct grant_rule *rule, enum grant_use use,
	const struct principal *principal, struct condition_answer out[CONDITIONS_MAX])
{
	const struct {
		bool is_there;
		const char *word;
		const char *(*check)(const struct grant_rule *, enum grant_use, const struct principal *);
	} rows[CONDITIONS_MAX] = {
		{rule->has_uid, "user", check_user},
		{rule->has_gid, "group", check_group},
		{rule->unit != NULL, "unit", check_unit},
		{rule->is_staged_only, "staged", check_staged},
	};
	size_t count = 0;

	for (size_t i = 0; i < CONDITIONS_MAX; i++)
		if (rows[i].is_there)
			out[count++] =
				(struct condition_answer){rows[i].word, rows[i].check(rule, use, principal)};
	return count;
}

static const char *failed_condition(
	const struct grant_rule *rule, enum grant_use use, const struct principal *principal)
{
	struct condition_answer answers[CONDITIONS_MAX];
	size_t count = policy_grant_conditions(rule, use, principal, answers);

	if (!is_real_uid(principal->uid))
		return "the caller's user is not known on this host";
	if (!rule->has_uid && !rule->has_gid && rule->unit == NULL)
		return "the rule has no condition";
	for (size_t i = 0; i < count; i++)
		if (answers[i].reason != NULL)
			return answers[i].reason;
	return NULL;
}

bool policy_grant_matches(const struct grant_rule *rule, enum grant_use use,
	const struct principal *principal, const char **reason_out)
{
	const char *reason = failed_condition(rule, use, principal);

	if (reason != NULL)
		*reason_out = reason;
	return reason == NULL;
}

bool policy_delivers(
	const struct grant_rule *rule, bool needs_token, const char *unit, const char **reason_out)
{
	const char *reason = NULL;

	if (rule->unit == NULL || rule->has_uid || rule->has_gid || needs_token)
		reason = "the rule is not of a unit alone";
	else if (rule->is_staged_only)
		reason = "the rule is for staged values only"; /* P2 */
	else if (!text_unit_matches(rule->unit, unit))
		reason = "the rule is for another unit";
	if (reason != NULL)
		*reason_out = reason;
	return reason == NULL;
}

bool policy_token_is_usable(const struct token_facts *token, const struct principal *principal,
	int64_t now_ms, const char **reason_out)
{
	const char *reason = NULL;

	if (!is_real_uid(principal->uid) || token->uid != principal->uid)
		reason = "the token is for another user"; /* P2 */
	else if (token->unit != NULL && principal->unit[0] == '\0')
		reason = "the token is for a unit, and the caller has no proven unit";
	else if (token->unit != NULL && !text_unit_matches(token->unit, principal->unit))
		reason = "the token is for another unit";
	else if (token->is_revoked)
		reason = "the token is revoked";
	else if (token->expires_ms != 0 && token->expires_ms <= now_ms)
		reason = "the token has expired";
	if (reason != NULL)
		*reason_out = reason;
	return reason == NULL;
}
