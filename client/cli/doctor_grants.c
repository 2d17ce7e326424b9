/*
 * Who is granted what, and what their accounts allow.  Testers' grants, of staged values alone, are for people at a terminal
 * and not looked at.
 */
#include "doctor.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "quote.h"
#include "unitfile.h"

enum { NAME_BYTES = 256, INTEGRATION_BYTES = 130, GRANTS_MAX = 100000 };

struct granted {
	char user[NAME_BYTES]; /* as the grant has it; "": no condition */
	char unit[NAME_BYTES];
	char integration[INTEGRATION_BYTES];
	int64_t id;
	bool needs_token;
	bool is_by_unit; /* the grant names no user: it is the one that its unit runs as */
};

struct grants {
	struct granted *all; /* owned */
	size_t count;
};

static void clear_grants(struct grants *grants)
{
	free(grants->all);
}

#define GRANTS_AUTO __attribute__((cleanup(clear_grants))) struct grants

/* ---- whom a unit runs as ---- */

struct running {
	char user[NAME_BYTES];
	bool is_dynamic; /* a user of its own for every start */
};

static void on_setting(void *arg, const char *name, const char *value)
{
	struct running *running = arg;

	if (strcmp(name, "User") == 0)
		(void)snprintf(running->user, sizeof(running->user), "%s", value);
	else if (strcmp(name, "DynamicUser") == 0)
		running->is_dynamic = strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0 ||
				      strcmp(value, "1") == 0;
}

/* Of a pattern, x@*.service, what all of its instances have. */
static void find_user(struct doctor *doctor, struct granted *grant)
{
	HARVEST_AUTO harvest = {0};
	struct running running = {0};
	const char *any = strstr(grant->unit, "@*");
	char unit[NAME_BYTES + sizeof("instance")] = "";

	if (any != NULL)
		(void)snprintf(unit, sizeof(unit), "%.*sinstance%s", (int)(any - grant->unit + 1),
			grant->unit, any + 2);
	else
		(void)snprintf(unit, sizeof(unit), "%s", grant->unit);
	if (unitfile_settings(&harvest, doctor->root, unit, on_setting, &running) != OK ||
		running.is_dynamic || strchr(running.user, '%') != NULL)
		return; /* it is not there, or nobody's but its own */
	grant->is_by_unit = true;
	(void)snprintf(grant->user, sizeof(grant->user), "%s", *running.user == '\0' ? "root" : running.user);
}

static bool load(struct doctor *doctor, struct grants *out)
{
	REPLY_AUTO reply = {0};

	if (!doctor_ask(doctor, REQUEST_GRANT_LIST, "{}", &reply))
		return false;

	const struct json_token *list = reply_array(&reply, NULL, "grants");

	if (list == NULL || list->count > GRANTS_MAX) {
		doctor_cannot(doctor, "the daemon's answer holds no grants");
		return false;
	}
	out->all = calloc((size_t)list->count + 1, sizeof(*out->all));
	doctor->has_failed |= out->all == NULL;
	for (const struct json_token *t = json_first(&reply.doc, list); out->all != NULL && t != NULL;
		t = json_next(&reply.doc, list, t)) {
		struct granted *grant = &out->all[out->count];
		char group[NAME_BYTES] = "";

		if (reply_flag(&reply, t, "staged_only"))
			continue;
		reply_text(&reply, t, "rule.user", grant->user, sizeof(grant->user));
		reply_text(&reply, t, "rule.unit", grant->unit, sizeof(grant->unit));
		reply_text(&reply, t, "integration", grant->integration, sizeof(grant->integration));
		grant->needs_token = reply_flag(&reply, t, "rule.token");
		grant->id = reply_integer(&reply, t, "id");
		reply_text(&reply, t, "rule.group", group, sizeof(group));
		if (*grant->user == '\0' && *grant->unit != '\0' && *group == '\0')
			find_user(doctor, grant);
		out->count++;
	}
	return out->all != NULL;
}

/* ---- accounts ---- */

static const struct passwd *in_file(const struct doctor *doctor, const char *user)
{
	char path[4096] = "";
	FILE *file = NULL;
	struct passwd *found = NULL;
	char *end = NULL;
	unsigned long number = strtoul(user, &end, 10);
	bool is_number = *user != '\0' && *end == '\0';

	(void)snprintf(path, sizeof(path), "%s/etc/passwd", doctor->root);
	file = fopen(path, "re");
	if (file == NULL)
		return NULL;
	do {
		found = fgetpwent(file);
	} while (found != NULL && strcmp(found->pw_name, user) != 0 &&
		 !(is_number && found->pw_uid == number));
	(void)fclose(file);
	return found;
}

/* By name or number, as grants have it; valid until the next call. */
static const struct passwd *account(const struct doctor *doctor, const char *user)
{
	char *end = NULL;
	unsigned long number = strtoul(user, &end, 10);
	const struct passwd *found = NULL;

	if (*doctor->root != '\0')
		return in_file(doctor, user);
	found = getpwnam(user);
	if (found == NULL && *user != '\0' && *end == '\0' && number < UINT32_MAX)
		found = getpwuid((uid_t)number);
	return found;
}

static int by_user(const void *a, const void *b)
{
	const struct granted *left = a;
	const struct granted *right = b;
	int order = strcmp(left->user, right->user);

	return order != 0 ? order : strcmp(left->integration, right->integration);
}

static void append_word(struct buf *buf, const char *before, const char *word, const char *behind)
{
	buf_append_string(buf, before);
	quote_append(buf, word);
	buf_append_string(buf, behind);
}

/* ---- one user for several integrations ---- */

/* The integrations of grants [from, to), which are one user's; how many different ones. */
static size_t list_integrations(const struct grants *grants, size_t from, size_t to, struct buf *out)
{
	enum { NAMED_MAX = 6 };
	size_t count = 0;

	for (size_t i = from; i < to; i++) {
		if (i > from && strcmp(grants->all[i - 1].integration, grants->all[i].integration) == 0)
			continue;
		if (count++ >= NAMED_MAX)
			continue;
		buf_append_string(out, count > 1 ? ", " : "");
		buf_append_string(out, grants->all[i].integration);
	}
	if (count > NAMED_MAX)
		doctor_say(out, " and %zu more", count - NAMED_MAX);
	return count;
}

static void mend_shared(struct buf *mend, const struct granted *last)
{
	if (last->is_by_unit) {
		const char *any = strstr(last->unit, "@*");
		int before = any == NULL ? (int)strlen(last->unit) : (int)(any - last->unit + 1);

		doctor_say(mend, "a user for each: systemctl edit %.*s%s   # [Service] User=NEW-USER", before,
			last->unit, any == NULL ? "" : any + 2);
		return;
	}
	append_word(mend, "a user for each: coffer grant add ", last->integration, " user=NEW-USER");
	if (*last->unit != '\0')
		append_word(mend, " unit=", last->unit, "");
	append_word(mend, " && coffer grant remove ", last->integration, "");
	doctor_say(mend, " %lld", (long long)last->id);
}

static void judge_shared(struct doctor *doctor, const struct grants *grants, size_t from, size_t to)
{
	BUF_AUTO names = {0};
	size_t count = list_integrations(grants, from, to, &names);
	const struct granted *last = &grants->all[to - 1];
	struct doctor_finding finding = {.severity = DOCTOR_PROBLEM};

	if (count < 2)
		return;
	buf_append_byte(&names, '\0');
	doctor->has_failed |= buf_failed(&names);
	buf_append_string(&finding.object, last->user);
	doctor_say(&finding.text,
		"%s is granted %zu integrations (%s): each of its processes can read the "
		"values of the others, whatever unit they are in",
		last->user, count, doctor->has_failed ? "" : names.bytes);
	mend_shared(&finding.mend, last);
	doctor_find(doctor, &finding);
}

/* Calls judge for the grants of each user. */
static void each_user(struct doctor *doctor,
	void (*judge)(struct doctor *doctor, const struct grants *grants, size_t from, size_t to))
{
	GRANTS_AUTO grants = {0};

	if (!load(doctor, &grants) || grants.count == 0)
		return;
	qsort(grants.all, grants.count, sizeof(*grants.all), by_user);
	for (size_t from = 0, to = 0; from < grants.count; from = to) {
		for (to = from + 1;
			to < grants.count && strcmp(grants.all[from].user, grants.all[to].user) == 0;)
			to++;
		if (*grants.all[from].user != '\0')
			judge(doctor, &grants, from, to);
	}
}

void doctor_shared_user(struct doctor *doctor)
{
	each_user(doctor, judge_shared);
}

/* ---- accounts of granted users ---- */

static bool can_log_in(const struct passwd *who)
{
	static const char *const none[] = {"nologin", "false", "true", "sync", "git-shell"};
	const char *slash = strrchr(who->pw_shell, '/');
	const char *name = slash == NULL ? who->pw_shell : slash + 1;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (strcmp(name, none[i]) == 0)
			return false;
	}
	return true; /* also without a shell: login takes /bin/sh then */
}

static void judge_shell(struct doctor *doctor, const struct grants *grants, size_t from, size_t to)
{
	const char *user = grants->all[from].user;
	const struct passwd *who = account(doctor, user);
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

	(void)to;
	if (who == NULL || !can_log_in(who))
		return;
	buf_append_string(&finding.object, user);
	doctor_say(&finding.text,
		"%s may fetch %s and can log in: its shell is %s. Whoever is logged in as it can read "
		"what its programs were given",
		user, grants->all[from].integration, *who->pw_shell == '\0' ? "/bin/sh" : who->pw_shell);
	if (who->pw_uid == 0)
		buf_append_string(
			&finding.mend, "let the program run as a user of its own, and grant that one");
	else
		append_word(&finding.mend, "usermod --shell /usr/sbin/nologin ", who->pw_name, "");
	doctor_find(doctor, &finding);
}

void doctor_login_shell(struct doctor *doctor)
{
	each_user(doctor, judge_shell);
}

static void judge_gone(struct doctor *doctor, const struct grants *grants, size_t from, size_t to)
{
	const char *user = grants->all[from].user;

	if (account(doctor, user) != NULL)
		return;
	for (size_t i = from; i < to; i++) {
		const struct granted *grant = &grants->all[i];
		struct doctor_finding finding = {.severity = DOCTOR_PROBLEM};

		if (grant->is_by_unit)
			continue; /* the unit does not start without it */
		doctor_say(&finding.object, "%s:%lld", grant->integration, (long long)grant->id);
		doctor_say(&finding.text,
			"grant %lld of %s is for the user %s, who does not exist on this host: "
			"whoever is given that number next has what was granted",
			(long long)grant->id, grant->integration, user);
		append_word(&finding.mend, "coffer grant remove ", grant->integration, "");
		doctor_say(&finding.mend, " %lld", (long long)grant->id);
		doctor_find(doctor, &finding);
	}
}

void doctor_user_gone(struct doctor *doctor)
{
	each_user(doctor, judge_gone);
}

/* ---- grants without a unit ---- */

void doctor_grant_without_unit(struct doctor *doctor)
{
	GRANTS_AUTO grants = {0};

	if (!load(doctor, &grants))
		return;
	for (size_t i = 0; i < grants.count; i++) {
		const struct granted *grant = &grants.all[i];
		struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

		if (*grant->unit != '\0' || grant->needs_token)
			continue;
		doctor_say(&finding.object, "%s:%lld", grant->integration, (long long)grant->id);
		doctor_say(&finding.text,
			"grant %lld of %s names no unit: every process of its user or group may "
			"fetch, wherever it was started",
			(long long)grant->id, grant->integration);
		append_word(&finding.mend, "coffer grant add ", grant->integration, "");
		if (*grant->user != '\0')
			append_word(&finding.mend, " user=", grant->user, "");
		append_word(
			&finding.mend, " unit=NAME.service && coffer grant remove ", grant->integration, "");
		doctor_say(&finding.mend, " %lld", (long long)grant->id);
		doctor_find(doctor, &finding);
	}
}
