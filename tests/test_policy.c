/* Roles, rights and grant rules: tables, and a comparison with a plain model over many random cases. */
#include "policy.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "unit.h"

enum { CASES = 200000 };

static bool matches(const struct grant_rule *rule, const struct principal *principal)
{
	const char *reason = NULL;
	bool is_match = policy_grant_matches(rule, GRANT_CURRENT, principal, &reason);

	ck_assert_msg(is_match == (reason == NULL), "a refusal has a reason, and a match none");
	return is_match;
}

START_TEST(policy_refuses_a_rule_without_conditions)
{
	const struct grant_rule rule = {.uid = 1000, .gid = 1000};
	const struct principal principal = {.uid = 1000, .gid = 1000, .pidfd = -1, .unit = "etl.service"};

	ck_assert(!matches(&rule, &principal));
}
END_TEST

/* P9: many strangers share the overflow ids. */
START_TEST(policy_refuses_overflow_ids_everywhere)
{
	static const uid_t ids[] = {PEER_OVERFLOW_ID, (uid_t)-1};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		uid_t id = ids[i];
		gid_t gid = id;
		const struct roles roles = {
			.admin = {.uids = &id, .uid_count = 1, .gids = &gid, .gid_count = 1}};
		const struct principal stranger = {
			.uid = id, .gid = 1000, .pidfd = -1, .unit = "etl.service"};
		const struct principal in_group = {
			.uid = 1000, .gid = gid, .groups = &gid, .group_count = 1, .pidfd = -1};
		const struct grant_rule user_rule = {.has_uid = true, .uid = id};
		const struct grant_rule unit_rule = {.unit = "etl.service"};
		const struct grant_rule group_rule = {.has_gid = true, .gid = gid};

		ck_assert_uint_eq(policy_roles(&roles, &stranger), 0);
		ck_assert_uint_eq(policy_roles(&roles, &in_group), 0);
		ck_assert(!matches(&user_rule, &stranger));
		ck_assert(!matches(&unit_rule, &stranger));
		ck_assert(!matches(&group_rule, &in_group));
	}
}
END_TEST

START_TEST(policy_refuses_a_unit_rule_without_a_proven_unit)
{
	static const char *const patterns[] = {"", "*", "etl.service", "backup@*.service", ".service"};
	const struct principal principal = {.uid = 1000, .gid = 1000, .pidfd = -1, .unit = ""};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const struct grant_rule rule = {.has_uid = true, .uid = 1000, .unit = patterns[i]};

		ck_assert_msg(!matches(&rule, &principal), "\"%s\"", patterns[i]);
	}
}
END_TEST

/* P3: no set of roles is a grant. */
START_TEST(policy_never_gives_values_to_a_role)
{
	for (unsigned roles = 0; roles < 8; roles++)
		ck_assert(!policy_allows(RIGHT_GRANTED, roles));
	ck_assert(!policy_allows(RIGHT_GRANTED, ~0U));
}
END_TEST

START_TEST(policy_refuses_rights_that_do_not_exist)
{
	ck_assert(!policy_allows((enum right)(RIGHT_GRANTED + 1), ~0U));
	ck_assert(!policy_allows((enum right)1000, ~0U));
}
END_TEST

START_TEST(policy_says_that_a_unit_is_not_proven)
{
	const struct principal principal = {.uid = 1000, .gid = 1000, .pidfd = -1};
	const struct grant_rule rule = {.unit = "etl.service"};
	const char *reason = NULL;

	ck_assert(!policy_grant_matches(&rule, GRANT_CURRENT, &principal, &reason));
	ck_assert_ptr_nonnull(strstr(reason, "no proven unit"));
}
END_TEST

START_TEST(policy_says_which_condition_failed)
{
	const struct principal principal = {.uid = 1000, .gid = 1000, .pidfd = -1, .unit = "etl.service"};
	static const struct {
		struct grant_rule rule;
		const char *word;
	} rows[] = {
		{{0}, "no condition"},
		{{.has_uid = true, .uid = 1001}, "another user"},
		{{.has_gid = true, .gid = 1001}, "group"},
		{{.unit = "other.service"}, "another unit"},
		{{.has_uid = true, .uid = 1000, .has_gid = true, .gid = 1001, .unit = "etl.service"},
			"group"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reason = NULL;

		ck_assert(!policy_grant_matches(&rows[i].rule, GRANT_CURRENT, &principal, &reason));
		ck_assert_ptr_nonnull(strstr(reason, rows[i].word));
	}
}
END_TEST

/* P2: the answers are those that the decision is made of. */
START_TEST(policy_tells_every_condition_and_whether_it_holds)
{
	const struct principal principal = {.uid = 1000, .gid = 1000, .pidfd = -1, .unit = "etl.service"};
	static const struct {
		struct grant_rule rule;
		const char *answers;
	} rows[] = {
		{{0}, ""},
		{{.has_uid = true, .uid = 1001}, "-user"},
		{{.has_uid = true, .uid = 1000, .has_gid = true, .gid = 7}, "+user-group"},
		{{.has_gid = true, .gid = 1000, .unit = "other.service"}, "+group-unit"},
		{{.has_uid = true,
			 .uid = 1,
			 .has_gid = true,
			 .gid = 1,
			 .unit = "etl.service",
			 .is_staged_only = true},
			"-user-group+unit-staged"},
		{{.unit = "etl.service"}, "+unit"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct condition_answer answers[CONDITIONS_MAX];
		size_t count = policy_grant_conditions(&rows[i].rule, GRANT_CURRENT, &principal, answers);
		bool all_hold = count > 0;
		char text[64] = "";

		for (size_t j = 0; j < count; j++) {
			strcat(text, answers[j].reason == NULL ? "+" : "-");
			strcat(text, answers[j].condition);
			all_hold = all_hold && answers[j].reason == NULL;
		}
		ck_assert_str_eq(text, rows[i].answers);
		ck_assert_int_eq(matches(&rows[i].rule, &principal), all_hold);
	}
}
END_TEST

START_TEST(policy_rights_follow_the_truth_table)
{
	static const struct {
		enum right right;
		bool allowed[8]; /* index: ROLE_ADMIN 1, ROLE_OPERATOR 2, ROLE_AUDITOR 4 */
	} rows[] = {
		{RIGHT_ANYONE, {true, true, true, true, true, true, true, true}},
		{RIGHT_ADMIN, {false, true, false, true, false, true, false, true}},
		{RIGHT_READER, {false, true, true, true, true, true, true, true}},
		{RIGHT_AUDITOR, {false, true, false, true, true, true, true, true}},
		{RIGHT_MANAGER, {false, true, true, true, false, true, true, true}},
		{RIGHT_KEEPER, {false, true, false, true, false, true, false, true}},
		{RIGHT_VIEWER, {false, true, true, true, true, true, true, true}},
		{RIGHT_GRANTED, {false, false, false, false, false, false, false, false}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned roles = 0; roles < 8; roles++)
			ck_assert_msg(policy_allows(rows[i].right, roles) == rows[i].allowed[roles],
				"right %d, roles %u", (int)rows[i].right, roles);
}
END_TEST

/* P2, P3: managing opens three rights, and never one that a role or a grant alone gives. */
START_TEST(policy_gives_a_manager_three_rights_only)
{
	static const enum right others[] = {
		RIGHT_ANYONE, RIGHT_ADMIN, RIGHT_READER, RIGHT_AUDITOR, RIGHT_GRANTED, (enum right)1000};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!policy_allows_manager(others[i]));
	ck_assert(policy_allows_manager(RIGHT_MANAGER));
	ck_assert(policy_allows_manager(RIGHT_KEEPER));
	ck_assert(policy_allows_manager(RIGHT_VIEWER));
}
END_TEST

START_TEST(policy_members_are_never_nobody)
{
	uid_t uids[] = {7, 65534, (uid_t)-1};
	gid_t gids[] = {8, 65534, (gid_t)-1};
	gid_t groups[] = {65534, (gid_t)-1};
	const struct role_members members = {.uids = uids, .uid_count = 3, .gids = gids, .gid_count = 3};
	const struct {
		struct principal who;
		bool is_member;
	} rows[] = {
		{{.uid = 65534, .gid = 8}, false},
		{{.uid = (uid_t)-1, .gid = 8}, false},
		{{.uid = 9, .gid = 65534}, false},
		{{.uid = 9, .gid = 9, .groups = groups, .group_count = 2}, false},
		{{.uid = 8, .gid = 7}, false},
		{{.uid = 7, .gid = 9}, true},
		{{.uid = 9, .gid = 8}, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(policy_is_member(&members, &rows[i].who) == rows[i].is_member, "row %zu", i);
}
END_TEST

START_TEST(policy_knows_the_roles_of_somebody_who_is_not_here)
{
	uid_t admins[] = {10};
	gid_t operator_groups[] = {200, 65534};
	gid_t auditor_groups[] = {200, 300};
	gid_t groups[] = {5, 200, 65534};
	const struct roles roles = {
		.admin = {.uids = admins, .uid_count = 1},
		.operator= {.gids = operator_groups, .gid_count = 2},
		.auditor = {.gids = auditor_groups, .gid_count = 2},
	};

	ck_assert_uint_eq(policy_roles_of(&roles, 65534, groups, 3), 0);
	ck_assert_uint_eq(policy_roles_of(&roles, (uid_t)-1, groups, 3), 0);
	ck_assert_uint_eq(policy_roles_of(&roles, 99, groups, 1), 0);
	ck_assert_uint_eq(policy_roles_of(&roles, 99, NULL, 0), 0);
	ck_assert_uint_eq(policy_roles_of(&roles, 99, groups, 3), ROLE_OPERATOR | ROLE_AUDITOR);
	ck_assert_uint_eq(policy_roles_of(&roles, 10, NULL, 0), ROLE_ADMIN);
	ck_assert_uint_eq(policy_roles_of(&roles, 0, NULL, 0), ROLE_ADMIN);
	ck_assert_uint_eq(policy_roles_of_group(&roles, 0), 0); /* the group root is nothing */
	ck_assert_uint_eq(policy_roles_of_group(&roles, 65534), 0);
	ck_assert_uint_eq(policy_roles_of_group(&roles, 10), 0);
	ck_assert_uint_eq(policy_roles_of_group(&roles, 300), ROLE_AUDITOR);
	ck_assert_uint_eq(policy_roles_of_group(&roles, 200), ROLE_OPERATOR | ROLE_AUDITOR);
}
END_TEST

START_TEST(policy_roles_come_from_users_and_groups)
{
	uid_t admins[] = {10, 11};
	uid_t operators[] = {20};
	gid_t operator_groups[] = {200, 201};
	gid_t auditor_groups[] = {300};
	gid_t groups[] = {5, 201, 300};
	const struct roles roles = {
		.admin = {.uids = admins, .uid_count = 2},
		.operator= {.uids = operators, .uid_count = 1, .gids = operator_groups, .gid_count = 2},
		.auditor = {.gids = auditor_groups, .gid_count = 1},
	};
	const struct {
		struct principal principal;
		unsigned roles;
	} rows[] = {
		{{.uid = 99, .gid = 10}, 0}, /* a gid is no uid */
		{{.uid = 200, .gid = 99}, 0},
		{{.uid = 99, .gid = 5, .groups = groups, .group_count = 1}, 0},
		{{.uid = 11, .gid = 99}, ROLE_ADMIN},
		{{.uid = 20, .gid = 99}, ROLE_OPERATOR},
		{{.uid = 99, .gid = 200}, ROLE_OPERATOR},
		{{.uid = 99, .gid = 300}, ROLE_AUDITOR},
		{{.uid = 99, .gid = 5, .groups = groups, .group_count = 2}, ROLE_OPERATOR},
		{{.uid = 10, .gid = 5, .groups = groups, .group_count = 3},
			ROLE_ADMIN | ROLE_OPERATOR | ROLE_AUDITOR},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_uint_eq(policy_roles(&roles, &rows[i].principal), rows[i].roles);
}
END_TEST

START_TEST(policy_counts_root_and_the_daemon_as_admins)
{
	const struct roles nobody = {0};
	const struct principal root = {.uid = 0, .gid = 0, .pidfd = -1};
	const struct principal daemon = {.uid = geteuid(), .gid = 1, .pidfd = -1};
	const struct principal other = {.uid = geteuid() + 1000, .gid = 0, .pidfd = -1};

	ck_assert_uint_eq(policy_roles(&nobody, &other), 0); /* the group root is nothing */
	ck_assert_uint_eq(policy_roles(&nobody, &root), ROLE_ADMIN);
	ck_assert_uint_eq(policy_roles(&nobody, &daemon), ROLE_ADMIN);
}
END_TEST

START_TEST(policy_matches_unit_names_and_patterns)
{
	static const struct {
		const char *rule;
		const char *unit;
		bool is_match;
	} rows[] = {
		{"etl.service", "etl.service", true},
		{"etl.service", "etl.socket", false},
		{"etl.service", "Etl.service", false},
		{"backup@*.service", "backup@daily.service", true},
		{"backup@*.service", "backup.service", false},
		{"backup@*.service", "backups@daily.service", false},
		{"backup@*.service", "backup@daily.timer", false},
		{"*.service", "etl.service", false},
		{"*", "etl.service", false},
		{"", "etl.service", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct grant_rule rule = {.unit = rows[i].rule};
		struct principal principal = {.uid = 1000, .gid = 1000, .pidfd = -1};

		memcpy(principal.unit, rows[i].unit, strlen(rows[i].unit) + 1);
		ck_assert_msg(matches(&rule, &principal) == rows[i].is_match, "%s against %s", rows[i].unit,
			rows[i].rule);
	}
}
END_TEST

static uint32_t pick(struct random *random, const uint32_t *ids, uint32_t count)
{
	return ids[random_below(random, count)];
}

/* The rule in other words: a list of demands, each met or not. */
static bool model_matches(const struct grant_rule *rule, const struct principal *principal)
{
	int demands = 0;
	int met = 0;
	bool in_group = rule->gid == principal->gid;

	for (size_t i = 0; i < principal->group_count; i++)
		in_group |= rule->gid == principal->groups[i];
	if (rule->gid == 65534 || rule->gid == 4294967295)
		in_group = false;
	demands += rule->has_uid + rule->has_gid + (rule->unit != NULL);
	met += rule->has_uid && rule->uid == principal->uid;
	met += rule->has_gid && in_group;
	if (rule->unit != NULL && strcmp(rule->unit, "b@*.service") == 0)
		met += strcmp(principal->unit, "b@1.service") == 0 ||
		       strcmp(principal->unit, "b@2.service") == 0;
	else if (rule->unit != NULL && rule->unit[0] != '\0')
		met += strcmp(rule->unit, principal->unit) == 0;
	return demands > 0 && met == demands && principal->uid != 65534 && principal->uid != 4294967295;
}

START_TEST(policy_agrees_with_a_plain_model)
{
	static const uint32_t ids[] = {0, 1, 2, 3, 65534, 4294967295};
	static const char *const units[] = {"", "a.service", "b@1.service", "b@2.service", "b.service"};
	static const char *const rules[] = {NULL, NULL, "a.service", "b@1.service", "b@*.service", ""};
	struct random random = {.state = 1};
	size_t match_count = 0;

	for (size_t i = 0; i < CASES; i++) {
		gid_t groups[3] = {pick(&random, ids, 6), pick(&random, ids, 6), pick(&random, ids, 6)};
		struct principal principal = {.uid = pick(&random, ids, 6),
			.gid = pick(&random, ids, 6),
			.groups = groups,
			.group_count = random_below(&random, 4),
			.pidfd = -1};
		const struct grant_rule rule = {.has_uid = random_below(&random, 2) == 0,
			.uid = pick(&random, ids, 6),
			.has_gid = random_below(&random, 2) == 0,
			.gid = pick(&random, ids, 6),
			.unit = rules[random_below(&random, 6)]};
		const char *unit = units[random_below(&random, 5)];

		memcpy(principal.unit, unit, strlen(unit) + 1);

		bool is_match = model_matches(&rule, &principal);

		ck_assert_msg(matches(&rule, &principal) == is_match, "case %zu", i);
		match_count += is_match;
	}
	ck_assert_uint_gt(match_count, CASES / 50); /* the comparison saw both answers */
	ck_assert_uint_lt(match_count, CASES / 2);
}
END_TEST

START_TEST(policy_refuses_a_token_of_another_user_unit_or_time)
{
	static const struct principal app = {.uid = 1000, .unit = "etl.service"};
	static const struct principal nowhere = {.uid = 1000};
	static const struct principal other = {.uid = 1001, .unit = "etl.service"};
	static const struct principal nobody = {.uid = PEER_OVERFLOW_ID};
	const struct {
		struct token_facts token;
		const struct principal *who;
		const char *reason; /* NULL: it is usable at 100 */
	} rows[] = {
		{{.uid = 1000}, &other, "the token is for another user"},
		{{.uid = PEER_OVERFLOW_ID}, &nobody, "the token is for another user"},
		{{.uid = 1000, .unit = "etl.service"}, &nowhere,
			"the token is for a unit, and the caller has no proven unit"},
		{{.uid = 1000, .unit = "web.service"}, &app, "the token is for another unit"},
		{{.uid = 1000, .is_revoked = true}, &app, "the token is revoked"},
		{{.uid = 1000, .expires_ms = 100}, &app, "the token has expired"},
		{{.uid = 1001, .is_revoked = true, .expires_ms = 1}, &app, "the token is for another user"},
		{{.uid = 1000, .expires_ms = 101}, &app, NULL},
		{{.uid = 1000, .unit = "etl.service"}, &app, NULL},
		{{.uid = 1000}, &nowhere, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reason = NULL;
		bool is_usable = policy_token_is_usable(&rows[i].token, rows[i].who, 100, &reason);

		ck_assert_msg(is_usable == (rows[i].reason == NULL), "row %zu", i);
		if (!is_usable)
			ck_assert_str_eq(reason, rows[i].reason);
	}
}
END_TEST

static const char *why_not_delivered(const struct grant_rule *rule, bool needs_token, const char *unit)
{
	const char *reason = "";
	bool delivers = policy_delivers(rule, needs_token, unit, &reason);

	ck_assert_int_eq(delivers, reason[0] == '\0');
	return reason;
}

/* P2: who asks is the service manager, whose own user and groups say nothing about the unit. */
START_TEST(policy_delivers_by_a_rule_of_a_unit_alone)
{
	static const char alone[] = "the rule is not of a unit alone",
			  other[] = "the rule is for another unit";
	const struct grant_rule none = {0}, user = {.has_uid = true, .unit = "etl.service"};
	const struct grant_rule group = {.has_gid = true, .unit = "etl.service"};
	const struct grant_rule staged = {.is_staged_only = true, .unit = "etl.service"};
	const struct grant_rule unit = {.unit = "etl.service"}, any = {.unit = "etl@*.service"};
	const struct grant_rule nobody = {.unit = ""}, escaped = {.unit = "etl@a\\x2fb.service"};

	ck_assert_str_eq(why_not_delivered(&none, false, "etl.service"), alone);
	ck_assert_str_eq(why_not_delivered(&user, false, "etl.service"), alone);
	ck_assert_str_eq(why_not_delivered(&group, false, "etl.service"), alone);
	ck_assert_str_eq(why_not_delivered(&unit, true, "etl.service"), alone);
	ck_assert_str_eq(
		why_not_delivered(&staged, false, "etl.service"), "the rule is for staged values only");
	ck_assert_str_eq(why_not_delivered(&unit, false, "etl.socket"), other);
	ck_assert_str_eq(why_not_delivered(&unit, false, ""), other);
	ck_assert_str_eq(why_not_delivered(&nobody, false, ""), other);
	ck_assert_str_eq(why_not_delivered(&any, false, "etl.service"), other);
	ck_assert_str_eq(why_not_delivered(&any, false, "etl@.service"), other);
	ck_assert_str_eq(why_not_delivered(&any, false, "etl@*.service"), other);
	ck_assert_str_eq(why_not_delivered(&any, false, "etl@a/b.service"), other);
	ck_assert_str_eq(why_not_delivered(&any, false, "x-etl@1.service"), other);
	ck_assert_str_eq(why_not_delivered(&escaped, false, "etl@a/b.service"), other);
	ck_assert_str_eq(why_not_delivered(&escaped, false, "etl@a-b.service"), other);
	ck_assert_str_eq(why_not_delivered(&unit, false, "etl.service"), "");
	ck_assert_str_eq(why_not_delivered(&any, false, "etl@1.service"), "");
	ck_assert_str_eq(why_not_delivered(&any, false, "etl@a\\x2fb.service"), "");
	ck_assert_str_eq(why_not_delivered(&any, false, "etl@a@b.c.service"), "");
	ck_assert_str_eq(why_not_delivered(&escaped, false, "etl@a\\x2fb.service"), "");
}
END_TEST

UNIT_MAIN("policy", policy_delivers_by_a_rule_of_a_unit_alone,
	policy_refuses_a_token_of_another_user_unit_or_time, policy_refuses_a_rule_without_conditions,
	policy_refuses_overflow_ids_everywhere, policy_refuses_a_unit_rule_without_a_proven_unit,
	policy_never_gives_values_to_a_role, policy_refuses_rights_that_do_not_exist,
	policy_says_that_a_unit_is_not_proven, policy_says_which_condition_failed,
	policy_tells_every_condition_and_whether_it_holds, policy_rights_follow_the_truth_table,
	policy_gives_a_manager_three_rights_only, policy_members_are_never_nobody,
	policy_knows_the_roles_of_somebody_who_is_not_here, policy_roles_come_from_users_and_groups,
	policy_counts_root_and_the_daemon_as_admins, policy_matches_unit_names_and_patterns,
	policy_agrees_with_a_plain_model)
