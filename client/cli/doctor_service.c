/*
 * The daemon's own unit, as drop-ins have made it: does it see who is calling, and is it as confined as it is shipped?
 */
#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "unitfile.h"

struct service {
	struct {
		char text[32];
		bool is_set;
	} seen[8]; /* by row of wanted */
};

static const struct wanted {
	const char *name;
	const char *words[4]; /* that are well; NULL ends them */
	bool must_be_set;
	enum doctor_severity severity;
	const char *otherwise;
} wanted[] = {
	{"PrivateUsers", {"no", "false", "0"}, false, DOCTOR_PROBLEM, "every caller is nobody to the daemon"},
	{"ProtectProc", {"default"}, false, DOCTOR_PROBLEM,
		"the daemon cannot see in which unit a caller is, and grants with a unit match nobody"},
	{"User", {"coffer"}, true, DOCTOR_PROBLEM,
		"the daemon runs as another user than the one who owns its files"},
	{"NoNewPrivileges", {"yes", "true", "1"}, true, DOCTOR_ADVICE,
		"the daemon is less confined than it need be"},
	{"ProtectSystem", {"strict"}, true, DOCTOR_ADVICE,
		"the daemon may write elsewhere than in its directories"},
	{"PrivateNetwork", {"yes", "true", "1"}, true, DOCTOR_ADVICE,
		"the daemon has a network, and needs none"},
};

enum { WANTED_COUNT = sizeof(wanted) / sizeof(wanted[0]) };

static void on_service_setting(void *arg, const char *name, const char *value)
{
	struct service *service = arg;

	for (size_t i = 0; i < WANTED_COUNT; i++) {
		if (strcmp(wanted[i].name, name) != 0)
			continue;
		(void)snprintf(service->seen[i].text, sizeof(service->seen[i].text), "%s", value);
		service->seen[i].is_set = *value != '\0';
	}
}

static bool is_well(const struct wanted *row, const char *text, bool is_set)
{
	if (!is_set)
		return !row->must_be_set;
	for (const char *const *word = row->words; *word != NULL; word++) {
		if (strcasecmp(*word, text) == 0)
			return true;
	}
	return false;
}

/* What a drop-in makes of the unit as it is shipped. */
void doctor_service(struct doctor *doctor)
{
	static const char unit[] = "cofferd.service";
	HARVEST_AUTO harvest = {0};
	struct service service = {0};
	enum err err = unitfile_settings(&harvest, doctor->root, unit, on_service_setting, &service);

	if (err != OK) {
		doctor_cannot(doctor, "there is no unit file for %s", unit);
		return;
	}
	for (size_t i = 0; i < harvest.problem_count; i++)
		doctor_cannot(doctor, "%s: %s", harvest.problems[i].place.file, harvest.problems[i].text);
	for (size_t i = 0; i < WANTED_COUNT; i++) {
		struct doctor_finding finding = {.severity = wanted[i].severity};

		if (is_well(&wanted[i], service.seen[i].text, service.seen[i].is_set))
			continue;
		buf_append_string(&finding.object, wanted[i].name);
		doctor_say(&finding.text, "%s has %s=%s: %s", unit, wanted[i].name, service.seen[i].text,
			wanted[i].otherwise);
		doctor_say(&finding.mend, "systemctl edit %s   # [Service] %s=%s", unit, wanted[i].name,
			wanted[i].words[0]);
		doctor_find(doctor, &finding);
	}
}
