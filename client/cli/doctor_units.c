/*
 * The services of this host: secrets that lie in their settings, and how they take credentials.  Units of users are their
 * users' business.  Values are read into locked memory, looked at, and never shown (P1).
 */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor_secrets.h"
#include "quote.h"
#include "unitfile.h"
#include "unitpath.h"

static const char socket_path[] = "/run/coffer/credentials.sock";
static const char type[] = ".service";
static const char instance[] = "instance"; /* stands for any, where there is none to name */

enum { UNIT_BYTES = 256, UNITS_MAX = 20000, NAMES_MAX = 83 };

struct units {
	char (*names)[UNIT_BYTES]; /* owned; sorted */
	size_t count;
	size_t cap;
};

static void clear_units(struct units *units)
{
	free(units->names);
}

#define UNITS_AUTO __attribute__((cleanup(clear_units))) struct units

/* ---- which there are ---- */

static void add(struct doctor *doctor, struct units *units, const char *name, size_t len)
{
	if (len >= UNIT_BYTES || units->count == UNITS_MAX) {
		doctor_cannot(doctor, "there are more units, or longer names, than are looked at");
		return;
	}
	if (units->count == units->cap) {
		size_t cap = units->cap == 0 ? 512 : 2 * units->cap;
		char(*grown)[UNIT_BYTES] = reallocarray(units->names, cap, UNIT_BYTES);

		if (grown == NULL) {
			doctor->has_failed = true;
			return;
		}
		units->names = grown;
		units->cap = cap;
	}
	(void)snprintf(units->names[units->count++], UNIT_BYTES, "%.*s", (int)len, name);
}

/* x.service, x@.service, and x@1.service of which there is but x@1.service.d */
static size_t unit_len(const char *entry)
{
	size_t len = strlen(entry);

	if (len > 2 && strcmp(entry + len - 2, ".d") == 0)
		len -= 2;
	return len > strlen(type) && memcmp(entry + len - strlen(type), type, strlen(type)) == 0 ? len : 0;
}

/* Another name of a unit, which is looked at under its own. */
static bool is_alias(int directory, const char *entry)
{
	char target[4096] = "";
	ssize_t len = readlinkat(directory, entry, target, sizeof(target) - 1);
	const char *slash = len > 0 ? strrchr(target, '/') : NULL;

	return len > 0 && strcmp(slash == NULL ? target : slash + 1, entry) != 0;
}

static void scan(struct doctor *doctor, const char *directory, struct units *units)
{
	char path[4096] = "";
	DIR *entries = NULL;

	(void)snprintf(path, sizeof(path), "%s%s", doctor->root, directory);
	entries = opendir(path);
	if (entries == NULL && errno != ENOENT)
		doctor_cannot(doctor, "%s cannot be read: %s", directory, strerror(errno));
	if (entries == NULL)
		return;
	for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
		size_t len = unit_len(entry->d_name);

		if (len > 0 && !is_alias(dirfd(entries), entry->d_name))
			add(doctor, units, entry->d_name, len);
	}
	(void)closedir(entries);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Of x@.service there is no unit, but what all of its instances have. */
static void name_to_read(const char *unit, char out[2 * UNIT_BYTES])
{
	const char *at = strchr(unit, '@');

	if (at != NULL && strcmp(at + 1, type) == 0)
		(void)snprintf(out, 2 * UNIT_BYTES, "%.*s%s%s", (int)(at - unit + 1), unit, instance, type);
	else
		(void)snprintf(out, 2 * UNIT_BYTES, "%s", unit);
}

typedef void judge_fn(struct doctor *doctor, const char *unit, const char *to_read);

static void each_unit(struct doctor *doctor, judge_fn *judge)
{
	UNITS_AUTO units = {0};

	for (const char *const *directory = unitpath_directories(); *directory != NULL; directory++)
		scan(doctor, *directory, &units);
	if (units.count > 0)
		qsort(units.names, units.count, UNIT_BYTES, by_name);
	for (size_t i = 0; i < units.count; i++) {
		char to_read[2 * UNIT_BYTES] = "";

		if (i > 0 && strcmp(units.names[i - 1], units.names[i]) == 0)
			continue;
		name_to_read(units.names[i], to_read);
		judge(doctor, units.names[i], to_read);
	}
}

/* ---- secrets in them ---- */

static void tell_place(struct buf *buf, const struct doctor *doctor, const struct place *place)
{
	const char *file = place->file;

	if (strncmp(file, doctor->root, strlen(doctor->root)) == 0)
		file += strlen(doctor->root);
	buf_append_string(buf, file);
	if (place->line > 0)
		doctor_say(buf, ":%u", place->line);
}

/* Who else can read it, as far as that is known. */
static const char *open_to(const struct harvest *harvest, const char *file)
{
	if (strstr(file, "/systemd/system/") != NULL)
		return "; systemctl show tells it to every user";
	for (const struct harvest_file *at = harvest->files; at != NULL; at = at->next) {
		if (at->path == file && at->is_open_to_all)
			return "; every user can read the file";
	}
	return "";
}

/* seen_by NULL: it cannot be imported from there. */
static void tell_secret(struct doctor *doctor, const struct harvest *harvest, const char *unit,
	const char *key, const struct place *place, const char *seen_by)
{
	struct doctor_finding finding = {.severity = DOCTOR_PROBLEM};
	const char *at = strchr(unit, '@');

	doctor_say(&finding.object, "%s:%s", unit, key);
	tell_place(&finding.text, doctor, place);
	doctor_say(&finding.text, ": %s of %s looks like a secret (%s)%s", key, unit,
		seen_by == NULL ? "by its name" : seen_by, open_to(harvest, place->file));
	if (seen_by == NULL) {
		doctor_say(&finding.mend, "coffer secret put INTEGRATION %s", key);
	} else {
		buf_append_string(&finding.mend, "coffer import INTEGRATION --unit ");
		if (at != NULL && strcmp(at + 1, type) == 0)
			doctor_say(&finding.mend, "%.*sINSTANCE%s", (int)(at - unit + 1), unit, type);
		else
			quote_append(&finding.mend, unit);
		doctor_say(&finding.mend, " --only %s", key);
	}
	buf_append_string(&finding.mend, ", then delete the line and issue the credential anew");
	doctor_find(doctor, &finding);
}

/* A line that was not taken: its value is not known, or its file is not. */
static void judge_problem(
	struct doctor *doctor, const struct harvest *harvest, const char *unit, const struct problem *problem)
{
	if (problem->key[0] != '\0') {
		if (secrets_is_name(problem->key) && !problem->has_no_value)
			tell_secret(doctor, harvest, unit, problem->key, &problem->place, NULL);
		return;
	}

	BUF_AUTO place = {0};

	tell_place(&place, doctor, &problem->place);
	buf_append_byte(&place, '\0');
	doctor->has_failed |= buf_failed(&place);
	doctor_cannot(doctor, "%s: %s", doctor->has_failed ? "" : place.bytes, problem->text);
}

static bool is_told(const struct harvest *harvest, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (harvest->assignments[i].place.file == harvest->assignments[at].place.file &&
			harvest->assignments[i].place.line == harvest->assignments[at].place.line &&
			strcmp(harvest->assignments[i].key, harvest->assignments[at].key) == 0)
			return true;
	}
	return false;
}

/* What a later line takes the place of lies there as well. */
static void judge_secrets(struct doctor *doctor, const char *unit, const char *to_read)
{
	HARVEST_AUTO harvest = {0};
	enum err err = unitfile_read(&harvest, doctor->root, to_read);

	if (err == ERR_NOT_FOUND || err == ERR_BAD_NAME)
		return; /* masked, or drop-ins of a unit that is not there: nothing runs with it */
	doctor->has_failed |= err != OK || harvest.has_failed;
	for (size_t i = 0; i < harvest.assignment_count; i++) {
		const struct assignment *found = &harvest.assignments[i];
		const char *seen_by =
			secrets_seen_by(found->key, (const char *)found->value.bytes, found->value.len);

		if (seen_by != NULL && !is_told(&harvest, i))
			tell_secret(doctor, &harvest, unit, found->key, &found->place, seen_by);
	}
	for (size_t i = 0; i < harvest.problem_count; i++)
		judge_problem(doctor, &harvest, unit, &harvest.problems[i]);
}

struct giving {
	struct doctor *doctor;
	const char *unit;
};

/* SetCredential=NAME:VALUE is as open as Environment=. */
static void on_credential(void *arg, const char *name, const char *value)
{
	struct giving *giving = arg;
	const char *colon = strcmp(name, "SetCredential") == 0 ? strchr(value, ':') : NULL;
	char key[KEY_BYTES_MAX + 1] = "";
	struct doctor_finding finding = {.severity = DOCTOR_PROBLEM};

	/* What is no name may be a piece of a value (P1). */
	if (colon == NULL || (size_t)(colon - value) > KEY_BYTES_MAX ||
		text_check_key(value, (size_t)(colon - value)) == ERR_BAD_NAME)
		return;
	(void)snprintf(key, sizeof(key), "%.*s", (int)(colon - value), value);

	const char *seen_by = secrets_seen_by(key, colon + 1, strlen(colon + 1));

	if (seen_by == NULL)
		return;
	doctor_say(&finding.object, "%s:%s", giving->unit, key);
	doctor_say(&finding.text,
		"SetCredential=%s of %s looks like a secret (%s); systemctl show tells it to every user", key,
		giving->unit, seen_by);
	doctor_say(&finding.mend,
		"coffer secret put INTEGRATION %s, and LoadCredential=%s:%s in place of the line", key, key,
		socket_path);
	doctor_find(giving->doctor, &finding);
}

static void judge_unit(struct doctor *doctor, const char *unit, const char *to_read)
{
	HARVEST_AUTO harvest = {0};
	struct giving giving = {.doctor = doctor, .unit = unit};

	judge_secrets(doctor, unit, to_read);
	(void)unitfile_settings(&harvest, doctor->root, to_read, on_credential, &giving);
}

void doctor_secret_in_unit(struct doctor *doctor)
{
	each_unit(doctor, judge_unit);
}

/* ---- credentials of theirs ---- */

struct taking {
	struct doctor *doctor;
	const char *unit;
	char type[32]; /* of the service; "": not set */
	bool takes; /* a credential from the vault */
};

/* The name in "NAME:/run/coffer/credentials.sock"; 0: from elsewhere. */
static size_t credential_len(const char *value)
{
	const char *colon = strchr(value, ':');

	return colon != NULL && strcmp(colon + 1, socket_path) == 0 ? (size_t)(colon - value) : 0;
}

static void on_type(void *arg, const char *name, const char *value)
{
	struct taking *taking = arg;

	if (strcmp(name, "Type") == 0)
		(void)snprintf(taking->type, sizeof(taking->type), "%s", value);
	else if (strcmp(name, "LoadCredential") == 0)
		taking->takes = taking->takes || credential_len(value) > 0;
}

static void judge_type(struct doctor *doctor, const char *unit, const char *to_read)
{
	HARVEST_AUTO harvest = {0};
	struct taking taking = {.doctor = doctor, .unit = unit};
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

	if (unitfile_settings(&harvest, doctor->root, to_read, on_type, &taking) != OK || !taking.takes ||
		(taking.type[0] != '\0' && strcmp(taking.type, "simple") != 0))
		return;
	buf_append_string(&finding.object, unit);
	doctor_say(&finding.text,
		"%s takes credentials from the vault and has Type=simple: systemctl start says that it "
		"has started before the vault has answered, and it waits for ever when the vault does "
		"not",
		unit);
	buf_append_string(&finding.mend, "systemctl edit ");
	quote_append(&finding.mend, unit);
	buf_append_string(&finding.mend, "   # [Service] Type=exec");
	doctor_find(doctor, &finding);
}

void doctor_credential_type(struct doctor *doctor)
{
	each_unit(doctor, judge_type);
}

/* systemd puts both names into the address of its end of the socket; what does not fit fails to start, or does so at times. */
static void on_name(void *arg, const char *name, const char *value)
{
	struct taking *taking = arg;
	size_t len = strcmp(name, "LoadCredential") == 0 ? credential_len(value) : 0;
	struct doctor_finding finding = {.severity = DOCTOR_PROBLEM};

	if (len == 0 || strlen(taking->unit) + len <= NAMES_MAX)
		return;
	doctor_say(&finding.object, "%s:%.*s", taking->unit, (int)len, value);
	doctor_say(&finding.text,
		"the names of the unit %s and its credential %.*s have %zu characters together; with more "
		"than %d systemd cannot ask for it",
		taking->unit, (int)len, value, strlen(taking->unit) + len, NAMES_MAX);
	buf_append_string(&finding.mend, "a shorter name for the unit or the credential");
	doctor_find(taking->doctor, &finding);
}

static void judge_names(struct doctor *doctor, const char *unit, const char *to_read)
{
	HARVEST_AUTO harvest = {0};
	struct taking taking = {.doctor = doctor, .unit = unit};

	(void)unitfile_settings(&harvest, doctor->root, to_read, on_name, &taking);
}

void doctor_credential_name(struct doctor *doctor)
{
	each_unit(doctor, judge_names);
}
