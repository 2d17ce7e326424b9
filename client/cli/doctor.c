/*
 * The table of checks, and what becomes of their findings.  The result is made as JSON first, so that --json and the tables
 * cannot differ.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "gate.h"
#include "tty_text.h"

static const struct doctor_check checks[] = {
	{"shared_user", "each integration has a Unix user of its own", doctor_shared_user},
	{"user_gone", "users of grants exist", doctor_user_gone},
	{"login_shell", "users of grants cannot log in", doctor_login_shell},
	{"grant_without_unit", "grants name a unit", doctor_grant_without_unit},
	{"secret_in_unit", "no secrets lie in unit files", doctor_secret_in_unit},
	{"credential_type", "units that get credentials tell how that went", doctor_credential_type},
	{"credential_name", "names of units and credentials fit the kernel's", doctor_credential_name},
	{"service", "cofferd.service sees who is calling, and is confined", doctor_service},
	{"root_key", "the root key does not lie in the clear beside the store", doctor_root_key},
	{"recovery", "recovery was tested", doctor_recovery},
	{"store_filesystem", "the store is on a disk of this host", doctor_store_filesystem},
	{"unwatched", "somebody is told of alerts", doctor_unwatched},
	{"swap", "swap is encrypted", doctor_swap},
	{"core_dumps", "core dumps of programs are not kept", doctor_core_dumps},
	{"ptrace", "processes of one user cannot trace each other", doctor_ptrace},
	{"kernel", "the kernel tells which process is calling", doctor_kernel},
	{"clock", "the clock is synchronised", doctor_clock},
};

enum { CHECK_COUNT = sizeof(checks) / sizeof(checks[0]), TEXT_BYTES = 1024 };

static const char *const severities[] = {[DOCTOR_PROBLEM] = "problem", [DOCTOR_ADVICE] = "advice"};

/* ---- texts ---- */

void doctor_say(struct buf *buf, const char *format, ...)
{
	char text[TEXT_BYTES] = "";
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	buf_append_string(buf, text);
}

/* Names of files may be any bytes; JSON holds text only. */
static void put_text(struct json_writer *w, const char *key, const struct buf *text)
{
	BUF_AUTO shown = {0};

	json_key(w, key);
	if (gate_is_utf8(text->bytes, text->len)) {
		json_write_text(w, text->bytes, text->len);
		return;
	}
	tty_text_append(&shown, text->bytes, text->len);
	json_write_text(w, shown.bytes, shown.len);
	w->buf->has_failed |= buf_failed(&shown);
}

/* ---- what is left out on purpose ---- */

static bool is_excepted(const struct cli *cli, const char *id)
{
	size_t cursor = 0;

	for (const char *text = args_next(&cli->args, SLOT_EXCEPT, &cursor); text != NULL;
		text = args_next(&cli->args, SLOT_EXCEPT, &cursor)) {
		if (strcmp(text, id) == 0)
			return true;
	}
	return false;
}

static bool is_check(const char *text)
{
	size_t len = strcspn(text, ":");

	for (size_t i = 0; i < CHECK_COUNT; i++) {
		if (strlen(checks[i].id) == len && strncmp(checks[i].id, text, len) == 0)
			return true;
	}
	return false;
}

/* A mistyped exception must not pass for one. */
static enum err check_excepted(const struct cli *cli)
{
	size_t cursor = 0;

	for (const char *text = args_next(&cli->args, SLOT_EXCEPT, &cursor); text != NULL;
		text = args_next(&cli->args, SLOT_EXCEPT, &cursor)) {
		if (!is_check(text))
			return cli_usage(cli,
				"--except: no check is called %s; --json lists them, and the ids of what was "
				"found",
				text);
	}
	return OK;
}

/* ---- for the checks ---- */

static void write_finding(struct doctor *doctor, const struct buf *id, const struct doctor_finding *finding)
{
	struct json_writer *w = &doctor->w;

	json_begin_object(w);
	put_text(w, "id", id);
	json_put_string(w, "check", doctor->check->id);
	json_put_string(w, "severity", severities[finding->severity]);
	put_text(w, "text", &finding->text);
	put_text(w, "mend", &finding->mend);
	json_end_object(w);
}

void doctor_find(struct doctor *doctor, struct doctor_finding *finding)
{
	BUF_AUTO id = {0};

	buf_append_string(&id, doctor->check->id);
	if (finding->object.len > 0) {
		buf_append_byte(&id, ':');
		buf_append(&id, finding->object.bytes, finding->object.len);
	}
	buf_append_byte(&id, '\0');
	if (buf_failed(&id) || buf_failed(&finding->text) || buf_failed(&finding->mend)) {
		doctor->has_failed = true;
	} else if (!is_excepted(doctor->cli, id.bytes)) {
		id.len--;
		write_finding(doctor, &id, finding);
		doctor->found++;
		doctor->count[finding->severity]++;
	}
	buf_clear(&finding->object);
	buf_clear(&finding->text);
	buf_clear(&finding->mend);
}

void doctor_cannot(struct doctor *doctor, const char *format, ...)
{
	char text[TEXT_BYTES] = "";
	va_list arguments;

	if (doctor->reason.len > 0)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	buf_append_string(&doctor->reason, text);
}

bool doctor_ask(struct doctor *doctor, enum request_kind kind, const char *params, struct reply *reply)
{
	BUF_AUTO text = {0};

	buf_append_string(&text, params);

	enum err err = buf_failed(&text) ? ERR_INTERNAL
					 : cli_try(doctor->cli, request_info(kind)->method, &text, reply);

	if (err != OK)
		doctor_cannot(doctor, "%s", coffer_error_text(doctor->cli->vault, err_number(err)));
	return err == OK;
}

bool doctor_read(const struct doctor *doctor, const char *path, char *out, size_t cap)
{
	char whole[4096] = "";
	size_t len = 0;
	ssize_t got = 0;

	if (snprintf(whole, sizeof(whole), "%s%s", doctor->root, path) >= (int)sizeof(whole)) {
		errno = ENAMETOOLONG;
		return false;
	}

	int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return false;
	while (len < cap - 1 && (got = read(fd, out + len, cap - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = '\0';

	int number = errno;

	(void)close(fd);
	errno = number;
	return got >= 0;
}

bool doctor_need(struct doctor *doctor, const char *path, char *out, size_t cap)
{
	if (doctor_read(doctor, path, out, cap))
		return true;
	doctor_cannot(doctor, "%s cannot be read: %s", path, strerror(errno));
	return false;
}

/* ---- the run ---- */

/* found: nothing of it can be called well; not_checked: what could be looked at was. */
static const char *state_of(const struct doctor *doctor)
{
	if (doctor->found > 0)
		return "found";
	return doctor->reason.len > 0 ? "not_checked" : "ok";
}

static void run_check(struct doctor *doctor, const struct doctor_check *check, struct json_writer *w)
{
	bool is_left_out = is_excepted(doctor->cli, check->id);

	doctor->check = check;
	doctor->found = 0;
	buf_clear(&doctor->reason);
	if (!is_left_out)
		check->look(doctor);
	json_begin_object(w);
	json_put_string(w, "id", check->id);
	json_put_string(w, "text", check->text);
	json_put_string(w, "state", is_left_out ? "left_out" : state_of(doctor));
	if (doctor->reason.len > 0)
		put_text(w, "reason", &doctor->reason);
	else
		json_put_string(w, "reason", NULL);
	json_end_object(w);
}

static void clear_doctor(struct doctor *doctor)
{
	buf_clear(&doctor->findings);
	buf_clear(&doctor->reason);
}

#define DOCTOR_AUTO __attribute__((cleanup(clear_doctor))) struct doctor

static void write_result(struct doctor *doctor, struct buf *out)
{
	struct json_writer w = json_writer(out);

	json_begin_object(&w);
	json_key(&w, "checks");
	json_begin_array(&w);
	for (size_t i = 0; i < CHECK_COUNT; i++)
		run_check(doctor, &checks[i], &w);
	json_end_array(&w);
	json_key(&w, "findings");
	json_begin_array(&w);
	json_write_raw(&w, doctor->findings.bytes, doctor->findings.len);
	json_end_array(&w);
	json_put_integer(&w, "problems", (int64_t)doctor->count[DOCTOR_PROBLEM]);
	json_put_integer(&w, "advice", (int64_t)doctor->count[DOCTOR_ADVICE]);
	json_end_object(&w);
}

/* In a place that is none everything looks fine. */
static enum err check_root(const struct cli *cli, const char *root)
{
	int fd = root == NULL ? -1 : open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root != NULL && fd < 0)
		return cli_usage(cli, "--root %s: %s", root, strerror(errno));
	if (fd >= 0)
		close(fd);
	return OK;
}

enum err doctor_run(struct cli *cli)
{
	const char *root = args_text(&cli->args, SLOT_ROOT);
	DOCTOR_AUTO doctor = {.cli = cli, .root = root == NULL ? "" : root};
	REPLY_AUTO reply = {0};
	BUF_AUTO result = {0};
	enum err err = check_excepted(cli);

	if (err == OK)
		err = check_root(cli, root);
	if (err != OK)
		return err;
	cli_guard(); /* P1: unit files with values are read into this process */
	doctor.w = json_writer(&doctor.findings);
	write_result(&doctor, &result);
	if (doctor.has_failed || buf_failed(&result) || buf_failed(&doctor.findings))
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	err = reply_read(&reply, result.bytes, result.len);
	if (err != OK)
		return cli_fail(cli, err, "the result cannot be shown");
	cli->exit_status = doctor.count[DOCTOR_PROBLEM] > 0 ? 1 : 0;
	return cli_show(cli, &reply);
}
