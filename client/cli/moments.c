/*
 * Times and users as they are typed.  Both are settled here and once, so that a command which asks page by page asks the
 * same each time; the daemon knows neither durations back nor this side's names.
 */
#include "moments.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "text.h"

static int64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool read_date(const char *text, bool is_end, int64_t *ms_out)
{
	enum { DATE_LEN = 10 };
	char whole[32] = "";

	if (strlen(text) != DATE_LEN)
		return false;
	(void)snprintf(whole, sizeof(whole), "%s%s", text, is_end ? "T23:59:59.999Z" : "T00:00:00Z");
	return text_time(whole, strlen(whole), ms_out);
}

static bool read_back(const char *text, int64_t *ms_out)
{
	int64_t seconds = 0;
	int64_t now = now_ms();

	if (!text_duration(text, strlen(text), &seconds))
		return false;
	*ms_out = seconds < now / 1000 ? now - seconds * 1000 : 0;
	return true;
}

enum err moments_settle(struct cli *cli, enum field field, bool is_end)
{
	const char *text = args_text(&cli->args, field);
	char settled[TIME_TEXT_BYTES] = "";
	int64_t ms = 0;

	if (text == NULL)
		return OK;
	if (!text_time(text, strlen(text), &ms) && !read_date(text, is_end, &ms) && !read_back(text, &ms))
		return cli_usage(cli,
			"--%s: a time in UTC such as 2026-11-22T09:30:00Z, a date, or how long ago: 12h, 7d",
			field_info(field)->wire);
	text_format_time(ms, settled);
	return args_set(&cli->args, field, settled) == OK ? OK : cli_fail(cli, ERR_INTERNAL, "no memory");
}

static bool find_uid(const char *text, unsigned long *uid_out)
{
	char *end = NULL;
	const struct passwd *user = getpwnam(text);

	if (user != NULL) {
		*uid_out = user->pw_uid;
		return true;
	}
	errno = 0;
	*uid_out = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *uid_out <= UINT32_MAX;
}

enum err moments_settle_user(struct cli *cli)
{
	const char *text = args_text(&cli->args, SLOT_BY_USER);
	char number[24] = "";
	unsigned long uid = 0;

	if (text == NULL)
		return OK;
	if (args_text(&cli->args, FIELD_UID) != NULL)
		return cli_usage(cli, "--user and --uid are the same: give one of them");
	if (!find_uid(text, &uid))
		return cli_usage(cli, "--user: no such user on this host");
	(void)snprintf(number, sizeof(number), "%lu", uid);
	return args_set(&cli->args, FIELD_UID, number) == OK ? OK : cli_fail(cli, ERR_INTERNAL, "no memory");
}
