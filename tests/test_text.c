/* The grammar of names, keys, values, durations and times. */
#include <string.h>

#include "text.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef bool text_is_fn(const char *text, size_t len);

static void check_all(text_is_fn *is, const char *const *texts, size_t count, bool expected)
{
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(is(texts[i], strlen(texts[i])) == expected, "\"%s\"", texts[i]);
}

#define REFUSED(is, ...) \
	check_all(is, (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})), false)
#define ACCEPTED(is, ...) \
	check_all(is, (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})), true)

/* len times c */
static const char *run_of(char c, size_t len)
{
	static char text[512];

	ck_assert_uint_lt(len, sizeof(text));
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

START_TEST(slug_refuses_other_alphabets)
{
	REFUSED(text_is_slug, "", ".", "..", "-a", "_a", ".a", "A", "aB", "a b", "a/b", "../x", "a\n",
		"\xd0\xb0", "a%");
	ck_assert(!text_is_slug("a\0b", 3));
	ck_assert(!text_is_slug(run_of('a', SLUG_BYTES_MAX + 1), SLUG_BYTES_MAX + 1));
}
END_TEST

START_TEST(slug_accepts_its_alphabet)
{
	ACCEPTED(text_is_slug, "a", "0", "warehouse-sync", "a.b_c-d", "9x");
	ck_assert(text_is_slug(run_of('a', SLUG_BYTES_MAX), SLUG_BYTES_MAX));
}
END_TEST

START_TEST(integration_name_refuses_empty_and_extra_parts)
{
	REFUSED(text_is_integration_name, "", "/", "a/", "/a", "a/b/c", "a//b", "a/..", "../a", "a/B", "a b");
	ck_assert(!text_is_integration_name(run_of('a', 65), 65));
	ck_assert(!text_is_integration_name(
		run_of('a', INTEGRATION_NAME_BYTES_MAX + 1), INTEGRATION_NAME_BYTES_MAX + 1));
}
END_TEST

START_TEST(integration_name_accepts_a_slug_with_or_without_workspace)
{
	char longest[INTEGRATION_NAME_BYTES_MAX + 1];

	ACCEPTED(text_is_integration_name, "warehouse-sync", "finance/warehouse-sync", "0/1");
	memset(longest, 'a', INTEGRATION_NAME_BYTES_MAX);
	longest[SLUG_BYTES_MAX] = '/';
	ck_assert(text_is_integration_name(longest, INTEGRATION_NAME_BYTES_MAX));
}
END_TEST

START_TEST(unit_name_refuses_what_never_runs)
{
	REFUSED(text_is_unit_name, "", "service", ".service", "etl", "etl.", "etl.txt", "etl.services",
		"etl@.service", "@x.service", "etl@*.service", "etl*.service", "a/b.service", "a b.service",
		"etl.service ", "etl.service\n", "\xc3\xa4.service", "etl.Service");

	char longest[UNIT_BYTES_MAX + 2];

	memset(longest, 'a', sizeof(longest));
	memcpy(longest + UNIT_BYTES_MAX + 1 - 8, ".service", 8);
	ck_assert(!text_is_unit_name(longest, UNIT_BYTES_MAX + 1));
	ck_assert(text_is_unit_name(longest + 1, UNIT_BYTES_MAX));
}
END_TEST

START_TEST(unit_name_accepts_plain_units_and_instances)
{
	ACCEPTED(text_is_unit_name, "etl.service", "a.b.service", "etl@1.service", "etl@a@b.service",
		"session-3.scope", "my\\x2dunit.service", "x:y_z.socket", "etl.service.service",
		"data.mount");
}
END_TEST

START_TEST(unit_pattern_refuses_a_star_elsewhere)
{
	REFUSED(text_is_unit_pattern, "", "*", "*.service", "etl*.service", "etl@**.service",
		"etl@*a.service", "etl@a*.service", "@*.service", "a@b@*.service", "etl@*", "etl@*.*",
		"etl@.service", "*@*.service");
}
END_TEST

START_TEST(unit_pattern_matches_any_instance_and_nothing_else)
{
	ACCEPTED(text_is_unit_pattern, "etl@*.service", "etl.service", "etl@1.service");
	ck_assert(!text_unit_matches("etl@*.service", "etl.service"));
	ck_assert(!text_unit_matches("etl@*.service", "etl@.service"));
	ck_assert(!text_unit_matches("etl@*.service", "etl@1.socket"));
	ck_assert(!text_unit_matches("etl@*.service", "xetl@1.service"));
	ck_assert(!text_unit_matches("etl@*.service", "etlx@1.service"));
	ck_assert(!text_unit_matches("etl@*.service", "etl@1.service.socket"));
	ck_assert(!text_unit_matches("etl@*.service", ""));
	ck_assert(!text_unit_matches("etl@*.service", "etl@*.service"));
	ck_assert(!text_unit_matches("", ""));
	ck_assert(!text_unit_matches("etl.service", "etl.servic"));
	ck_assert(!text_unit_matches("etl@1.service", "etl@2.service"));
	ck_assert(text_unit_matches("etl@*.service", "etl@1.service"));
	ck_assert(text_unit_matches("etl@*.service", "etl@a@b.c.service"));
	ck_assert(text_unit_matches("etl.service", "etl.service"));
	ck_assert(text_unit_matches("etl@1.service", "etl@1.service"));
}
END_TEST

/* The two texts that grants are looked up by are all that could match. */
START_TEST(unit_pattern_of_a_unit_is_the_only_one_that_matches)
{
	static const char *const parts[] = {
		"etl", "etl@", "@", "*", "@*", ".", "a.b", "\\x2f", ".service", ".socket", "1", "service"};
	char pattern[UNIT_BYTES_MAX + 1] = "";
	char text[2][64];

	ck_assert(!text_unit_pattern("etl.service", pattern));
	ck_assert(!text_unit_pattern("etl@.service", pattern));
	ck_assert(!text_unit_pattern("etl@*.service", pattern));
	ck_assert(!text_unit_pattern("", pattern));
	ck_assert(text_unit_pattern("etl@a@b.c.service", pattern));
	ck_assert_str_eq(pattern, "etl@*.service");
	srandom(20261127);
	for (int i = 0; i < 300000; i++) {
		for (size_t t = 0; t < 2; t++) {
			text[t][0] = '\0';
			for (long n = random() % 5; n >= 0; n--)
				strcat(text[t], parts[(size_t)random() % (sizeof(parts) / sizeof(parts[0]))]);
		}

		bool is_unit = text_is_unit_name(text[1], strlen(text[1]));
		bool is_same = is_unit && strcmp(text[0], text[1]) == 0;
		bool is_pattern = text_unit_pattern(text[1], pattern) && strcmp(text[0], pattern) == 0;

		ck_assert_msg(text_unit_matches(text[0], text[1]) == (is_same || is_pattern), "%s %s",
			text[0], text[1]);
	}
}
END_TEST

START_TEST(word_refuses_capitals_and_spaces)
{
	REFUSED(text_is_word, "", "A", "1a", "_a", ".a", "a b", "a-b", "aB", "a\n");
	ACCEPTED(text_is_word, "a", "secret.put", "rate_limited", "sha2");
}
END_TEST

START_TEST(line_refuses_control_characters_and_bad_utf8)
{
	REFUSED(text_is_line, "a\nb", "a\tb", "\r", "\x1b[2J", "\x7f", "\xc2\x80",
		"a\xc2\x9b"
		"b",
		"\xc2\x9f", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xc2");
	ck_assert(!text_is_line("a\0b", 3));
	ACCEPTED(text_is_line, "", "plain", "Bj\xc3\xb6rn", "\xc2\xa0", "\xe2\x82\xac \xf0\x9f\x94\x91",
		"%s%n");
}
END_TEST

START_TEST(text_allows_line_breaks_and_tabs_only)
{
	REFUSED(text_is_text, "\r\n", "a\x0b", "\x1b", "\xc2\x85", "\x7f");
	ck_assert(!text_is_text("\0", 1));
	ACCEPTED(text_is_text, "", "two\nlines", "\tindented");
}
END_TEST

START_TEST(key_refuses_what_is_no_variable_name)
{
	static const char *const keys[] = {
		"", "1A", "A-B", "A=B", "A B", "A.B", "\xc3\x84", "BASH_FUNC_x%%", "a\n", "$A"};

	for (size_t i = 0; i < COUNT(keys); i++)
		ck_assert_msg(text_check_key(keys[i], strlen(keys[i])) == ERR_BAD_NAME, "\"%s\"", keys[i]);
	ck_assert_int_eq(text_check_key("A\0B", 3), ERR_BAD_NAME);
	ck_assert_int_eq(text_check_key(run_of('A', KEY_BYTES_MAX + 1), KEY_BYTES_MAX + 1), ERR_BAD_NAME);
}
END_TEST

static void check_reserved(const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert_msg(text_check_key(keys[i], strlen(keys[i])) == ERR_RESERVED_NAME, "%s", keys[i]);
		ck_assert_msg(text_reserved_for(keys[i], strlen(keys[i])) != NULL, "%s", keys[i]);
	}
}

/* The variables that the C library drops for set-user-ID programs. */
START_TEST(key_refuses_the_list_of_the_c_library)
{
	static const char *const keys[] = {"GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES",
		"LD_AUDIT", "LD_BIND_NOT", "LD_BIND_NOW", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_DYNAMIC_WEAK",
		"LD_HWCAP_MASK", "LD_LIBRARY_PATH", "LD_ORIGIN_PATH", "LD_PREFER_MAP_32BIT_EXEC",
		"LD_PRELOAD", "LD_PROFILE", "LD_PROFILE_OUTPUT", "LD_SHOW_AUXV", "LD_TRACE_LOADED_OBJECTS",
		"LD_USE_LOAD_BIAS", "LD_VERBOSE", "LD_WARN", "LOCALDOMAIN", "LOCPATH", "MALLOC_ARENA_MAX",
		"MALLOC_ARENA_TEST", "MALLOC_CHECK_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_",
		"MALLOC_PERTURB_", "MALLOC_TOP_PAD_", "MALLOC_TRACE", "MALLOC_TRIM_THRESHOLD_", "NIS_PATH",
		"NLSPATH", "RESOLV_ADD_TRIM_DOMAINS", "RESOLV_HOST_CONF", "RESOLV_MULTI",
		"RESOLV_OVERRIDE_TRIM_DOMAINS", "RESOLV_SPOOF_CHECK", "RES_OPTIONS", "TMPDIR", "TZDIR"};

	check_reserved(keys, COUNT(keys));
}
END_TEST

/* The variables that sudo removes, checks, or sets itself. */
START_TEST(key_refuses_the_list_of_sudo)
{
	static const char *const keys[] = {"IFS", "CDPATH", "LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES",
		"NLSPATH", "PATH_LOCALE", "LD_X", "_RLD_LIST", "_RLDN32_LIST", "SHLIB_PATH", "LDR_PRELOAD",
		"LIBPATH", "AUTHSTATE", "DYLD_INSERT_LIBRARIES", "KRB5_CONFIG", "KRB5_CONFIG_FILE",
		"KRB5_KTNAME", "VAR_ACE", "USR_ACE", "DLC_ACE", "TERMINFO", "TERMINFO_DIRS", "TERMPATH",
		"TERMCAP", "ENV", "BASH_ENV", "PS4", "GLOBIGNORE", "BASHOPTS", "SHELLOPTS",
		"JAVA_TOOL_OPTIONS", "PERLIO_DEBUG", "PERLLIB", "PERL5LIB", "PERL5OPT", "PERL5DB", "FPATH",
		"NULLCMD", "READNULLCMD", "ZDOTDIR", "TMPPREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONINSPECT",
		"PYTHONUSERBASE", "RUBYLIB", "RUBYOPT", "BASH_FUNC_ls", "COLORTERM", "LANG", "LANGUAGE",
		"LC_ALL", "LC_MESSAGES", "LINGUAS", "TERM", "TZ", "PATH", "HOME", "SHELL", "LOGNAME", "USER",
		"USERNAME", "MAIL", "SUDO_COMMAND", "SUDO_USER", "SUDO_UID", "SUDO_GID"};

	check_reserved(keys, COUNT(keys));
}
END_TEST

START_TEST(key_refuses_what_programs_and_managers_act_upon)
{
	static const char *const keys[] = {"NODE_OPTIONS", "NODE_PATH", "GIT_SSH", "GIT_SSH_COMMAND",
		"GIT_CONFIG_COUNT", "GIT_EXEC_PATH", "EDITOR", "VISUAL", "PAGER", "BROWSER", "LESSOPEN",
		"PWD", "OLDPWD", "PS1", "PS2", "PROMPT_COMMAND", "PYTHONSTARTUP", "PYTHONWARNINGS", "PHPRC",
		"LUA_INIT", "LUA_INIT_5_4", "LUA_CPATH", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH",
		"DOTNET_STARTUP_HOOKS", "OPENSSL_CONF", "SSLKEYLOGFILE", "XDG_CONFIG_HOME", "XAUTHORITY",
		"DBUS_SESSION_BUS_ADDRESS", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET",
		"CREDENTIALS_DIRECTORY", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM",
		"STATE_DIRECTORY", "COFFER_SOCKET", "COFFER_"};

	check_reserved(keys, COUNT(keys));
}
END_TEST

/* These load modules, name programs to run, or lead to files that do. */
START_TEST(key_refuses_what_libraries_and_tools_load_or_run)
{
	static const char *const keys[] = {"GIO_MODULE_DIR", "GIO_EXTRA_MODULES", "GTK_MODULES", "GTK_PATH",
		"GTK_IM_MODULE_FILE", "QT_PLUGIN_PATH", "ERL_FLAGS", "ERL_AFLAGS", "ERL_LIBS", "ERL_ZFLAGS",
		"ELIXIR_ERL_OPTIONS", "MAVEN_OPTS", "GRADLE_OPTS", "npm_config_x", "npm_config_script_shell",
		"NPM_CONFIG_PREFIX", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "CURL_HOME",
		"PGSERVICEFILE", "PGSYSCONFDIR", "OPENSSL_CONF", "OPENSSL_CONF_INCLUDE", "OPENSSL_ENGINES",
		"OPENSSL_MODULES"};

	check_reserved(keys, COUNT(keys));
}
END_TEST

START_TEST(key_accepts_ordinary_names)
{
	static const char *const keys[] = {"PGPASSWORD", "PGHOST", "PGUSER", "PGSERVICE", "API_KEY",
		"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "NPM_TOKEN", "CURL_TOKEN",
		"GRADLE_TOKEN", "GIO", "ERLANG_COOKIE", "DATABASE_URL", "_", "a", "lower_case", "path",
		"ld_preload", "HOME_DIR_TOKEN", "PATHS", "MY_PATH", "USER_TOKEN", "ENVIRONMENT",
		"PYTHONANYWHERE_TOKEN", "GIT_SSH_KEY", "SHELLY_TOKEN", "LD", "XDG", "LISTEN", "TERMS", "X1"};

	for (size_t i = 0; i < COUNT(keys); i++) {
		ck_assert_msg(text_check_key(keys[i], strlen(keys[i])) == OK, "%s", keys[i]);
		ck_assert_ptr_null(text_reserved_for(keys[i], strlen(keys[i])));
	}
	ck_assert_int_eq(text_check_key(run_of('A', KEY_BYTES_MAX), KEY_BYTES_MAX), OK);
}
END_TEST

static enum err check_value(const char *value, size_t len, bool may_have_lines)
{
	return text_check_value((const unsigned char *)value, len, may_have_lines);
}

START_TEST(value_refuses_nothing_nul_and_unasked_line_breaks)
{
	ck_assert_int_eq(check_value("", 0, true), ERR_BAD_VALUE);
	ck_assert_int_eq(check_value("a\0b", 3, true), ERR_BAD_VALUE);
	ck_assert_int_eq(check_value("a\n", 2, false), ERR_BAD_VALUE);
	ck_assert_int_eq(check_value("a\r", 2, false), ERR_BAD_VALUE);
}
END_TEST

START_TEST(value_refuses_a_byte_over_the_limit)
{
	static unsigned char value[VALUE_BYTES_MAX + 1];

	memset(value, 'v', sizeof(value));
	ck_assert_int_eq(text_check_value(value, sizeof(value), true), ERR_TOO_LARGE);
	ck_assert_int_eq(text_check_value(value, VALUE_BYTES_MAX, false), OK);
}
END_TEST

START_TEST(value_accepts_any_other_bytes)
{
	ck_assert_int_eq(check_value("x", 1, false), OK);
	ck_assert_int_eq(check_value("\xff\xfe\t\x01", 4, false), OK);
	ck_assert_int_eq(check_value("a\r\nb", 4, true), OK);
}
END_TEST

START_TEST(duration_refuses_other_forms)
{
	static const char *const texts[] = {"", "s", "1", "0s", "01s", "-1s", "+1s", " 1s", "1s ", "1.5h",
		"1w", "1y", "1S", "1ms", "1h30m", "never", "36526d", "876601h", "3155760001s", "99999999999s",
		"10000000000d"};
	int64_t seconds = 77;

	for (size_t i = 0; i < COUNT(texts); i++)
		ck_assert_msg(!text_duration(texts[i], strlen(texts[i]), &seconds), "\"%s\"", texts[i]);
	ck_assert_int_eq(seconds, 77);
}
END_TEST

START_TEST(duration_counts_seconds)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {{"1s", 1}, {"30s", 30}, {"15m", 900}, {"12h", 43200}, {"365d", 31536000},
		{"36525d", 3155760000}, {"3155760000s", 3155760000}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t seconds = 0;

		ck_assert_msg(
			text_duration(rows[i].text, strlen(rows[i].text), &seconds), "%s", rows[i].text);
		ck_assert_int_eq(seconds, rows[i].seconds);
	}
}
END_TEST

START_TEST(time_refuses_other_forms)
{
	static const char *const texts[] = {"", "Z", "2026-11-22", "2026-11-22T09:30:00",
		"2026-11-22T09:30:00+00:00", "2026-11-22t09:30:00Z", "2026-11-22T09:30:00z",
		"2026-11-22 09:30:00Z", "2026-11-22T09:30Z", "2026-11-22T09:30:00.Z",
		"2026-11-22T09:30:00.1234Z", "2026-11-22T09:30:00,1Z", "2026-11-22T09:30:00.1aZ",
		"1969-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-1-01T00:00:00Z",
		"+026-01-01T00:00:00Z", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00 Z"};
	int64_t ms = 77;

	for (size_t i = 0; i < COUNT(texts); i++)
		ck_assert_msg(!text_time(texts[i], strlen(texts[i]), &ms), "\"%s\"", texts[i]);
	ck_assert(!text_time("2026-11-22T09:30:0\0Z", 20, &ms));
	ck_assert_int_eq(ms, 77);
}
END_TEST

/* Figures from date(1). */
START_TEST(time_counts_milliseconds)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {{"1970-01-01T00:00:00Z", 0}, {"1970-01-01T00:00:00.001Z", 1},
		{"2000-02-29T12:34:56.7Z", 951827696700}, {"2026-11-22T09:30:00.12Z", 1795339800120},
		{"2038-01-19T03:14:08Z", 2147483648000}, {"2100-03-01T00:00:00Z", 4107542400000},
		{"9999-12-31T23:59:59.999Z", 253402300799999}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t ms = -1;

		ck_assert_msg(text_time(rows[i].text, strlen(rows[i].text), &ms), "%s", rows[i].text);
		ck_assert_int_eq(ms, rows[i].ms);
	}
}
END_TEST

START_TEST(format_time_stays_within_the_calendar)
{
	char text[TIME_TEXT_BYTES];

	text_format_time(INT64_MIN, text);
	ck_assert_str_eq(text, "1970-01-01T00:00:00.000Z");
	text_format_time(INT64_MAX, text);
	ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
	text_format_time(1795339800123, text);
	ck_assert_str_eq(text, "2026-11-22T09:30:00.123Z");
}
END_TEST

/* I, L, O and U are left out of Crockford's digits: they look like others. */
START_TEST(run_refuses_what_is_no_ulid)
{
	REFUSED(text_is_run, "", "0", "01JD000000000000000000000", "01JD00000000000000000000000",
		"01jd0000000000000000000000", "01JD000000000000000000000I", "01JD000000000000000000000L",
		"01JD000000000000000000000O", "U1JD0000000000000000000000", "01JD00000000-0000000000000",
		"01JD0000000000000000000 00", "01JD000000000000000000000\n",
		"01JD00000000000000000000\xc3\xa9");
	ck_assert(!text_is_run("01JD000000000000000000000\0", 26));
	ck_assert(!text_is_run("01JD0000000000000000000000", 25));
	ck_assert(!text_is_run("01JD0000000000000000000000", 27));
}
END_TEST

START_TEST(run_accepts_every_digit)
{
	ACCEPTED(text_is_run, "00000000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
		"0123456789ABCDEFGHJKMNPQRS", "1TVWXYZ0000000000000000000");
}
END_TEST

/* Each day of four centuries, at a moment that moves through the day. */
START_TEST(format_time_is_the_inverse_of_time)
{
	int64_t day_ms = 86400000;

	for (int64_t day = 0; day < 400 * 366; day++) {
		char text[TIME_TEXT_BYTES];
		int64_t ms = day * day_ms + day * 7919 % day_ms;
		int64_t back = -1;

		text_format_time(ms, text);
		if (!text_time(text, strlen(text), &back) || back != ms)
			ck_abort_msg("%s", text);
	}
}
END_TEST

UNIT_MAIN("text", slug_refuses_other_alphabets, integration_name_refuses_empty_and_extra_parts,
	unit_name_refuses_what_never_runs, unit_pattern_refuses_a_star_elsewhere,
	word_refuses_capitals_and_spaces, line_refuses_control_characters_and_bad_utf8,
	key_refuses_what_is_no_variable_name, key_refuses_the_list_of_the_c_library,
	key_refuses_the_list_of_sudo, key_refuses_what_programs_and_managers_act_upon,
	key_refuses_what_libraries_and_tools_load_or_run, value_refuses_nothing_nul_and_unasked_line_breaks,
	value_refuses_a_byte_over_the_limit, duration_refuses_other_forms, time_refuses_other_forms,
	run_refuses_what_is_no_ulid, slug_accepts_its_alphabet,
	integration_name_accepts_a_slug_with_or_without_workspace,
	unit_pattern_of_a_unit_is_the_only_one_that_matches, unit_name_accepts_plain_units_and_instances,
	unit_pattern_matches_any_instance_and_nothing_else, text_allows_line_breaks_and_tabs_only,
	key_accepts_ordinary_names, value_accepts_any_other_bytes, duration_counts_seconds,
	time_counts_milliseconds, run_accepts_every_digit, format_time_stays_within_the_calendar,
	format_time_is_the_inverse_of_time)
