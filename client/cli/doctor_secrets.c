/*
 * Telling secrets from settings.  A name says by its end what a variable is: DB_PASSWORD is one, PASSWORD_FILE and TOKEN_TTL
 * are about one.  A value says it by its shape, whatever its name.  Nothing of a value leaves this file (P1).
 */
#include "doctor_secrets.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { NAME_BYTES = 256 };

/* ---- names ---- */

/* What a name ends with when it is a secret; with _ in front only as a word of its own. */
static const char *const endings[] = {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY",
	"SECRETKEY", "ACCESSKEY", "PRIVATEKEY", "CREDENTIALS", "_PASS", "_PWD", "_KEY", "_CREDENTIAL",
	"_CREDS", "_PAT", "_PSK", "_SALT", "_PIN"};

/* … unless it ends so: what is shown to everybody, or counted. */
static const char *const harmless[] = {"PUBLIC_KEY", "PUBLISHABLE_KEY", "PUB_KEY", "_PRIMARY_KEY",
	"_SORT_KEY", "_PARTITION_KEY", "_CACHE_KEY", "_ROUTING_KEY", "_ENABLE_TOKEN", "_MAX_TOKEN",
	"_HOST_KEY", "_HOT_KEY"};

/* Says only which of several it is. */
static const char *const additions[] = {"_OLD", "_NEW", "_BASE64", "_B64", "_HEX", "_TEXT", "_PEM", "_VALUE"};

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

static bool ends_with_one(const char *text, size_t len, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ends_with(text, len, list[i]))
			return true;
	}
	return false;
}

/* "dbPassword2" → "DBPASSWORD", "API_KEY_1_OLD" → "API_KEY" */
static size_t plain_name(const char *name, char out[NAME_BYTES])
{
	size_t len = strnlen(name, NAME_BYTES - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = (char)toupper((unsigned char)name[i]);
	for (size_t before = 0; before != len;) {
		before = len;
		for (size_t i = 0; i < sizeof(additions) / sizeof(additions[0]); i++) {
			if (ends_with(out, len, additions[i]))
				len -= strlen(additions[i]);
		}
		while (len > 0 && (isdigit((unsigned char)out[len - 1]) || out[len - 1] == '_'))
			len--;
	}
	out[len] = '\0';
	return len;
}

bool secrets_is_name(const char *name)
{
	static const char *const whole[] = {"PASS", "PIN", "KEY", "AUTH", "CREDENTIAL"};
	char plain[NAME_BYTES] = "";
	size_t len = plain_name(name, plain);

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		if (strcmp(plain, whole[i]) == 0)
			return true;
	}
	return ends_with_one(plain, len, endings, sizeof(endings) / sizeof(endings[0])) &&
	       !ends_with_one(plain, len, harmless, sizeof(harmless) / sizeof(harmless[0]));
}

/* ---- values ---- */

/* [at, end) as C's own functions cannot have it: values are not terminated. */
static const char *find(const char *value, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	for (size_t i = 0; i + word_len <= len; i++) {
		if (strncasecmp(value + i, word, word_len) == 0)
			return value + i;
	}
	return NULL;
}

static bool is_word(const char *value, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(value, word, len) == 0;
}

static bool begins_with(const char *value, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(value, word, strlen(word)) == 0;
}

/* What a variable with the name of a secret may well be: a place where one is, a switch, or nothing. */
static bool is_setting(const char *value, size_t len)
{
	static const char *const places[] = {"/etc/", "/run/", "/var/", "/usr/", "/opt/", "/srv/", "/home/",
		"/root/", "/proc/", "/dev/", "/lib/", "/tmp/", "/mnt/", "/data/", "file:", "%",
		"${CREDENTIALS_DIRECTORY}", "$CREDENTIALS_DIRECTORY"};
	static const char *const words[] = {"", "0", "1", "true", "false", "yes", "no", "on", "off", "none",
		"null", "enabled", "disabled", "auto", "prompt", "ask", "required", "optional"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (is_word(value, len, words[i]))
			return true;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (begins_with(value, len, places[i]) && memchr(value, '\n', len) == NULL)
			return true;
	}
	return false;
}

/* scheme://user:password@host */
static bool is_url_with_password(const char *value, size_t len)
{
	const char *end = value + len;
	const char *at = find(value, len, "://");

	if (at == NULL)
		return false;
	at += strlen("://");

	size_t authority = 0;

	while (at + authority < end && strchr("/?# \t\n", at[authority]) == NULL)
		authority++;

	const char *host = memrchr(at, '@', authority);
	const char *colon = host == NULL ? NULL : memchr(at, ':', (size_t)(host - at));

	return colon != NULL && host - colon > 1 && colon[1] != '$' && colon[1] != '{';
}

/* "… password=x", as connection strings have it */
static bool has_password_setting(const char *value, size_t len)
{
	static const char *const words[] = {"password=", "passwd=", "pwd="};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *at = find(value, len, words[i]);
		const char *behind = at == NULL ? NULL : at + strlen(words[i]);

		if (behind != NULL && behind < value + len && strchr(" ;&$\"'\n", *behind) == NULL &&
			(at == value || strchr(" ;?&\"'\n", at[-1]) != NULL))
			return true;
	}
	return false;
}

static bool is_issued(const char *value, size_t len)
{
	/* Beginnings that issuers give to what they make so that it is found. */
	static const char *const beginnings[] = {"ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-",
		"xoxp-", "xapp-", "sk_live_", "rk_live_", "sk-ant-", "hvs.", "npm_", "pypi-", "dop_v1_",
		"SG.", "AGE-SECRET-KEY-1", "ya29.", "shpat_", "coffer_"};
	enum { LEAST = 20 };

	for (size_t i = 0; len >= LEAST && i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		if (begins_with(value, len, beginnings[i]) && memchr(value, '/', len) == NULL)
			return true;
	}
	return false;
}

const char *secrets_seen_by(const char *name, const char *value, size_t len)
{
	if (is_url_with_password(value, len))
		return "it is a URL with a password";
	if (has_password_setting(value, len))
		return "it holds a password";
	if (find(value, len, "PRIVATE KEY-----") != NULL)
		return "it holds a private key";
	if (is_issued(value, len))
		return "it begins like an issued token";
	return secrets_is_name(name) && !is_setting(value, len) ? "by its name" : NULL;
}
