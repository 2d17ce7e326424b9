/*
 * Secrets and settings, told apart: names and values as units of real hosts have them.
 */
#include <stdlib.h>
#include <string.h>

#include "doctor_secrets.h"
#include "unit.h"

struct row {
	const char *name;
	const char *value;
	const char *seen_by; /* a part of the reason; NULL: harmless */
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *seen = secrets_seen_by(rows[i].name, rows[i].value, strlen(rows[i].value));

		ck_assert_msg((seen == NULL) == (rows[i].seen_by == NULL), "%s=%s: %s", rows[i].name,
			rows[i].value, seen == NULL ? "harmless" : seen);
		if (seen != NULL)
			ck_assert_msg(strstr(seen, rows[i].seen_by) != NULL, "%s: %s", rows[i].name, seen);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

START_TEST(a_name_says_by_its_end_what_it_is)
{
	static const struct row rows[] = {{"DB_PASSWORD", "x", "name"}, {"PGPASSWORD", "x", "name"},
		{"dbPassword", "x", "name"}, {"MYSQL_PWD", "x", "name"}, {"SMTP_PASS", "x", "name"},
		{"API_KEY", "abc", "name"}, {"APIKEY", "abc", "name"}, {"STRIPE_SECRET", "s", "name"},
		{"SECRET_KEY", "s", "name"}, {"AWS_SECRET_ACCESS_KEY", "a/b+c", "name"},
		{"GITHUB_TOKEN", "t", "name"}, {"SESSION_SECRET_2", "s", "name"},
		{"API_KEY_OLD", "s", "name"}, {"SIGNING_KEY_BASE64", "L2V0Yw==", "name"},
		{"GOOGLE_CREDENTIALS", "{}", "name"}, {"DJANGO_SECRET_KEY", "django-insecure", "name"},
		{"KEY", "k", "name"}, {"PASSWORD", "/+a=", "name"}};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(what_is_about_a_secret_is_none)
{
	static const struct row rows[] = {{"PASSWORD_FILE", "/etc/x", NULL}, {"DB_PASSWORD_FILE", "x", NULL},
		{"TOKEN_TTL", "3600", NULL}, {"SECRET_NAME", "db", NULL},
		{"AWS_ACCESS_KEY_ID", "AKIAX", NULL}, {"PASSWORD_MIN_LENGTH", "12", NULL},
		{"KEY_ID", "7", NULL}, {"TOKENIZERS_PARALLELISM", "x", NULL},
		{"STRIPE_PUBLISHABLE_KEY", "pk_live", NULL}, {"SSH_PUBLIC_KEY", "ssh-ed25519 AAAA", NULL},
		{"COMPASS", "x", NULL}, {"BYPASS", "x", NULL}, {"MONKEY", "x", NULL}, {"PWD", "/srv", NULL},
		{"OLDPWD", "/", NULL}, {"KEYBOARD", "de", NULL}, {"PATH", "/usr/bin", NULL},
		{"LANG", "C", NULL}, {"LISTEN_PID", "1", NULL}, {"SCOPINS", "x", NULL}, {"", "x", NULL},
		{"_", "x", NULL}, {"1", "x", NULL}};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(a_place_or_a_switch_is_no_secret)
{
	static const struct row rows[] = {{"SSL_KEY", "/etc/ssl/private/x.pem", NULL},
		{"DB_PASSWORD", "/run/credentials/x.service/pw", NULL},
		{"TOKEN", "${CREDENTIALS_DIRECTORY}/t", NULL}, {"PASSWORD", "", NULL},
		{"USE_TOKEN", "true", NULL}, {"AUTH_TOKEN", "No", NULL}, {"API_KEY", "0", NULL},
		{"API_KEY", "file:/etc/key", NULL}, {"DB_PASSWORD", "trustno1", "name"},
		{"SSL_KEY", "/etc/x\n-----BEGIN PRIVATE KEY-----", "private key"}};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(a_value_says_it_by_its_shape)
{
	static const struct row rows[] = {{"DATABASE_URL", "postgres://u:pw@h/db", "URL"},
		{"URL", "amqp://u:p%40w@h:5672//", "URL"}, {"X", "redis://:pw@h", "URL"},
		{"X", "see https://u:pw@h/ there", "URL"}, {"X", "https://u:p:w@h", "URL"},
		{"X", "https://host/a:b@c", NULL}, {"X", "https://u@h", NULL}, {"X", "https://u:@h", NULL},
		{"X", "postgres://u:${PW}@h/db", NULL}, {"X", "http://h:80/", NULL}, {"X", "://:@", NULL},
		{"DSN", "host=h user=u password=x", "password"}, {"X", "Server=s;Pwd=x;", "password"},
		{"X", "jdbc:postgresql://h/d?user=u&password=x", "password"}, {"X", "password=", NULL},
		{"X", "--no-password=x", NULL}, {"X", "password=$PW", NULL}, {"X", "password= x", NULL},
		{"ID", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3", "private key"},
		{"X", "-----BEGIN CERTIFICATE-----", NULL}, {"X", "ghp_0123456789abcdefghij", "issued"},
		{"X", "ghp_short", NULL}, {"X", "xoxb-0123456789-0123456789", "issued"},
		{"X", "glpat-abcdefghijklmnopqrst", "issued"},
		{"NAME", "coffer_data/of/all/the/things", NULL}, {"X", "", NULL}, {"X", "://", NULL}};

	CHECK_ROWS(rows);
}
END_TEST

/* Values are spans without a terminator: the byte behind one is another one's. */
START_TEST(nothing_behind_a_value_is_looked_at)
{
	static const char text[] = "https://u:pw@h";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *exact = malloc(len + (len == 0));
		const char *seen = NULL;

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, text, len);
		seen = secrets_seen_by("X", exact, len);
		ck_assert((seen != NULL) == (len >= strlen("https://u:pw@")));
		free(exact);
	}
}
END_TEST

UNIT_MAIN("doctor_secrets", a_name_says_by_its_end_what_it_is, what_is_about_a_secret_is_none,
	a_place_or_a_switch_is_no_secret, a_value_says_it_by_its_shape, nothing_behind_a_value_is_looked_at)
