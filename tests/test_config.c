/* The configuration file: what is refused, with which words, and what a good one means. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char directory[] = "/tmp/coffer-test-XXXXXX";
static char path[64];
static char error[CONFIG_ERROR_BYTES];

static void write_file(const void *bytes, size_t len)
{
	if (path[0] == '\0') {
		ck_assert_ptr_nonnull(mkdtemp(directory));
		snprintf(path, sizeof(path), "%s/cofferd.conf", directory);
	}

	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
}

static void remove_file(void)
{
	unlink(path);
	rmdir(directory);
}

static enum err load(struct config **out)
{
	error[0] = '\0';
	return config_load(path, out, error);
}

/* The error is "FILE:LINE: words", line 0 for "FILE: words". */
static void check_error(int line, const char *words)
{
	struct config *config = NULL;
	char prefix[96] = "";

	ck_assert_int_eq(load(&config), ERR_CONFIG);
	ck_assert_ptr_null(config);
	if (line > 0)
		snprintf(prefix, sizeof(prefix), "%s:%d: ", path, line);
	else
		snprintf(prefix, sizeof(prefix), "%s: ", path);
	ck_assert_msg(strncmp(error, prefix, strlen(prefix)) == 0, "no \"%s\" in: %s", prefix, error);
	ck_assert_msg(strstr(error, words) != NULL, "no \"%s\" in: %s", words, error);
}

static void check_refused(const char *text, int line, const char *words)
{
	write_file(text, strlen(text));
	check_error(line, words);
}

static struct config *check_loads(const char *text)
{
	struct config *config = NULL;

	write_file(text, strlen(text));
	ck_assert_msg(load(&config) == OK, "%s", error);
	return config;
}

struct row {
	const char *text;
	int line;
	const char *words;
};

#define CHECK_ROWS(rows) \
	do { \
		for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
			check_refused((rows)[i].text, (rows)[i].line, (rows)[i].words); \
		remove_file(); \
	} while (0)

START_TEST(config_refuses_unknown_sections_and_keys)
{
	static const struct row rows[] = {
		{"[valt]\nsocket = /a/b\n", 1,
			"unknown section [valt]; known sections: vault, roles, policy, approval, audit, "
			"alerts, limits"},
		{"[Vault]\nsocket = /a/b\n", 1, "unknown section [Vault]"},
		{"[vault ]\nsocket = /a/b\n", 1, "unknown section [vault ]"},
		{"[vault]\n\n[valt]\n", 3, "unknown section [valt]"},
		{"[vault]\n  [limit] ; more", 2, "unknown section [limit]"},
		{"\xef\xbb\xbf[valt]\n[vault]\n", 1, "unknown section [valt]"},
		{"[]\n", 1, "unknown section []"},
		{" = /a\n", 1, "before the first [section]"},
		{"socket = /a/b\n", 1, "before the first [section]; known sections: vault, roles"},
		{"[vault]\n\n; comment\nsocet = /a/b\n", 4,
			"unknown key 'socet' in [vault]; known keys: state_dir, anchor, socket, backup_dir, "
			"archive_dir, "
			"root_key, allow_swap"},
		{"[roles]\nroot = a\n", 2,
			"unknown key 'root' in [roles]; known keys: admin, operator, auditor"},
		{"[limits]\nconnection = 16\n", 2,
			"fetches_per_minute, holders, integrations, refusal_window_ms, shutdown_ms"},
		{"[limits]\nstate_dir = /a\n", 2, "unknown key 'state_dir' in [limits]"},
		{"[vault]\n = /a\n", 2, "unknown key '' in [vault]"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(config_refuses_lines_that_are_no_settings)
{
	static const struct row rows[] = {
		{"[vault]\nsocket\n", 2, "neither \"[section]\" nor \"key = value\""},
		{"[vault\nsocket = /a/b\n", 1, "neither"},
		{"[vault]\nsocket\nwrong = 1\n", 2, "neither"},
		{"[vault] socket = /a/b\n", 1, "only a comment may follow"},
		{"[vault]x\n", 1, "only a comment may follow"},
		{"[vault]\r\nsocket = /a/b\r\n", 1, "control characters"},
		{"[vault]\nsocket = /a/\x1b[2Jb\n", 2, "control characters"},
		{"[vault]\n; \xc2\x9b\n", 2, "control characters"},
		{"[vault]\nsocket = /a/\xff\n", 2, "not plain UTF-8"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(config_refuses_a_zero_byte)
{
	static const char text[] = "[vault]\nsocket = /a/b\0/c\n";

	write_file(text, sizeof(text) - 1);
	check_error(2, "control characters");
	remove_file();
}
END_TEST

START_TEST(config_refuses_a_line_over_the_limit_instead_of_cutting_it)
{
	char text[600] = "[vault]\n; ";
	char at_limit[600] = "[vault]\n; ";
	size_t head_len = strlen(text);

	memset(text + head_len, 'a', 500);
	strcat(text, "\nwrong = 1\n");
	check_refused(text, 2, "the line is longer than 198 bytes");

	/* One byte less or more decides, not whether something breaks. */
	memset(at_limit + head_len, 'a', 198 - 2);
	strcat(at_limit, "\n");
	config_free(check_loads(at_limit));
	at_limit[strlen(at_limit) - 1] = 'a';
	strcat(at_limit, "\n");
	check_refused(at_limit, 2, "the line is longer");
	remove_file();
}
END_TEST

START_TEST(config_refuses_a_huge_file)
{
	enum { HUGE_BYTES = 1048577 };
	char *text = malloc(HUGE_BYTES);

	memset(text, '\n', HUGE_BYTES);
	write_file(text, HUGE_BYTES);
	check_error(HUGE_BYTES, "larger than 1048576 bytes");
	write_file(text, HUGE_BYTES - 1);
	free(text);

	struct config *config = NULL;

	ck_assert_int_eq(load(&config), OK);
	config_free(config);
	remove_file();
}
END_TEST

START_TEST(config_refuses_a_key_given_twice)
{
	static const struct row rows[] = {
		{"[vault]\nsocket = /a/b\nsocket = /a/b\n", 3, "[vault] socket was already set in line 2"},
		{"[limits]\nidle_ms = 2000\n[vault]\n[limits]\nidle_ms : 2000\n", 5, "already set in line 2"},
		{"[approval]\nrequire =\nrequire =\n", 3, "already set in line 2"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(config_refuses_paths_that_are_not_plain)
{
	static const char *const values[] = {"", "relative", "./a", "~/a", "/", "//a", "/a/", "/a//b",
		"/a/./b", "/a/../b", "/..", "/.", "\"/a\""};
	static const char *const key_names[] = {"state_dir", "anchor", "socket", "backup_dir", "archive_dir"};
	char text[128] = "";

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		for (size_t j = 0; j < sizeof(key_names) / sizeof(key_names[0]); j++) {
			snprintf(text, sizeof(text), "[vault]\n%s = %s\n", key_names[j], values[i]);
			check_refused(text, 2, "must be an absolute path");
		}
		if (values[i][0] == '\0')
			continue;
		snprintf(text, sizeof(text), "[vault]\nroot_key = file:%s\n", values[i]);
		check_refused(text, 2, "[vault] root_key must be");
	}
	remove_file();
}
END_TEST

START_TEST(config_refuses_a_socket_path_that_the_kernel_would_cut)
{
	char text[256] = "[vault]\nsocket = /";
	size_t head_len = strlen(text);

	memset(text + head_len, 'a', 107);
	check_refused(text, 2, "[vault] socket must be at most 107 bytes");
	text[strlen(text) - 1] = '\0';

	struct config *config = check_loads(text);

	ck_assert_uint_eq(strlen(config->socket), 107);
	config_free(config);
	remove_file();
}
END_TEST

START_TEST(config_refuses_an_anchor_inside_the_store)
{
	static const struct row rows[] = {
		{"[vault]\nstate_dir = /a\nanchor = /a\n", 3, "anchor must not lie in state_dir"},
		{"[vault]\nstate_dir = /a\nanchor = /a/anchor\n", 3, "anchor must not lie in state_dir"},
		{"[vault]\nanchor = /var/lib/coffer/anchor\n", 2, "anchor must not lie in state_dir"},
		{"[vault]\n\nstate_dir = /var/lib/coffer-anchor\n", 3, "anchor must not lie in state_dir"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(config_refuses_what_this_version_cannot_do)
{
	static const struct row rows[] = {
		{"[vault]\nroot_key = passphrase\n", 2, "passphrase is not supported by this version"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(config_refuses_bad_names)
{
	static const struct row rows[] = {
		{"[roles]\nadmin = root etl\n", 2, "users and %groups, separated by commas"},
		{"[roles]\nadmin = root,\n", 2, "[roles] admin must be"},
		{"[roles]\nadmin = ,root\n", 2, "[roles] admin must be"},
		{"[roles]\nadmin = root,,etl\n", 2, "[roles] admin must be"},
		{"[roles]\noperator = %\n", 2, "[roles] operator must be"},
		{"[roles]\nauditor = %%a\n", 2, "[roles] auditor must be"},
	};
	char many[CONFIG_NAMES_MAX * 2 + 32] = "[roles]\nadmin = a";

	for (size_t i = 0; i < CONFIG_NAMES_MAX; i++)
		strcat(many, ",a");
	check_refused(many, 2, "more than 64 names");
	CHECK_ROWS(rows);
}
END_TEST

START_TEST(config_refuses_limits_out_of_range)
{
	static const char *const values[] = {"", "-1", "+16", "016", "16.0", "1e3", "0x10", "16k", "many",
		"15", "65537", "9223372036854775807", "18446744073709551632", "99999999999999999999999999"};
	static const struct row rows[] = {
		{"[limits]\nconnections = 64\n", 2, "connections_reserved must be less than connections"},
		{"[limits]\nline_bytes = 4096\nline_bytes_stranger = 4097\n", 3,
			"line_bytes_stranger must not be more"},
		{"[limits]\nconnections_reserved = 20\nconnections = 20\n", 2,
			"connections_reserved must be less than connections"},
		{"[limits]\nidle_ms = 30s\n", 2, "[limits] idle_ms must be a number from 1000 to 3600000"},
	};
	char text[128] = "";

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(text, sizeof(text), "[limits]\nconnections = %s\n", values[i]);
		check_refused(text, 2, "[limits] connections must be a number from 16 to 65536");
	}
	CHECK_ROWS(rows);
}
END_TEST

START_TEST(config_refuses_flags_and_root_keys_that_it_does_not_know)
{
	static const struct row rows[] = {
		{"[vault]\nallow_swap = true\n", 2, "[vault] allow_swap must be yes or no"},
		{"[vault]\nallow_swap =\n", 2, "yes or no"},
		{"[vault]\nroot_key =\n", 2, "\"credential\", or \"file:\" and an absolute path"},
		{"[vault]\nroot_key = /etc/key\n", 2, "\"credential\", or"},
		{"[approval]\nrequire = none\n", 2, "[approval] require must be empty, or some of grant.add"},
		{"[approval]\nrequire = secret.put\n", 2, "some of grant.add"},
		{"[approval]\nrequire = grant.add,\n", 2, "some of grant.add"},
		{"[approval]\nrequire = grant.add, ,secret.revoke\n", 2, "some of grant.add"},
		{"[approval]\nrequire = grant.add secret.revoke\n", 2, "some of grant.add"},
		{"[approval]\nexpire_days = 0\n", 2, "1 to 365"},
		{"[policy]\nrequire = key\n", 2, "[policy] require must be documented fields"},
		{"[policy]\nrequire = docs,,purpose\n", 2, "documented fields"},
		{"[policy]\nrequire = docs, lock_grants\n", 2, "documented fields"},
		{"[audit]\nkeep_days = -1\n", 2, "0 to 36500"},
		{"[alerts]\nunused_days = 0\n", 2, "1 to 3650"},
		{"[vault]\nroot_key = File:/etc/key\n", 2, "\"credential\", or"},
	};

	CHECK_ROWS(rows);
}
END_TEST

/* P1: somebody may have pasted the key itself. */
START_TEST(config_errors_never_repeat_a_value)
{
	static const char *const texts[] = {"[vault]\nroot_key = c2VjcmV0LWtleQ\n",
		"[vault]\nsocket = c2VjcmV0LWtleQ\n", "[limits]\nidle_ms = c2VjcmV0LWtleQ\n",
		"[roles]\nadmin = %c2VjcmV0LWtleQ,\n", "[vault]\nallow_swap = c2VjcmV0LWtleQ\n",
		"[policy]\nrequire = docs, c2VjcmV0LWtleQ\n", "[approval]\nrequire = c2VjcmV0LWtleQ\n"};
	struct config *config = NULL;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(texts[i], strlen(texts[i]));
		ck_assert_int_eq(load(&config), ERR_CONFIG);
		ck_assert_ptr_null(strstr(error, "c2Vj"));
	}
	remove_file();
}
END_TEST

START_TEST(config_refuses_a_file_that_others_may_write)
{
	static const mode_t modes[] = {0666, 0664, 0646, 0620, 0602};

	write_file("", 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ck_assert_int_eq(chmod(path, modes[i]), 0);
		check_error(0, "may be written by group or others");
	}
	ck_assert_int_eq(chmod(path, 0644), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 12345, 0), 0);
		check_error(0, "belongs to neither root nor this user");
	}
	remove_file();
}
END_TEST

START_TEST(config_refuses_what_is_no_regular_file)
{
	write_file("", 0);
	unlink(path);
	check_error(0, "cannot be opened: No such file or directory");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	check_error(0, "is not a regular file"); /* and does not wait for a writer */
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	check_error(0, "is not a regular file");
	rmdir(path);
	remove_file();
}
END_TEST

START_TEST(config_error_is_one_line_and_keeps_its_words)
{
	char long_path[CONFIG_PATH_BYTES] = "/";
	struct config *config = NULL;

	memset(long_path + 1, '\n', sizeof(long_path) - 2);
	ck_assert_int_eq(config_load(long_path, &config, error), ERR_CONFIG);
	ck_assert_ptr_null(strchr(error, '\n'));
	ck_assert_ptr_nonnull(strstr(error, "cannot be opened"));
	write_file("[vault]\na\\nb\tc = 1\n", strlen("[vault]\na\\nb\tc = 1\n"));
	check_error(2, "unknown key 'a\\nb\\x09c' in [vault]");
	remove_file();
}
END_TEST

static void check_names(const struct config_names *names, const char *const *expected, size_t count)
{
	ck_assert_uint_eq(names->count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(names->names[i], expected[i]);
}

#define LIMIT(name, value, least, most, text) ck_assert_int_eq(config->limits.name, value);
static void check_default_limits(const struct config *config){
#include "limits.def"
}
#undef LIMIT

START_TEST(config_of_an_empty_file_is_the_default)
{
	static const char *const texts[] = {
		"", "\n", "; nothing", "[vault]\n[limits]", "  \t", "\xef\xbb\xbf\n"};
	static const char *const admin[] = {"root"};
	static const char *const operators[] = {"%coffer-operators"};
	static const char *const auditors[] = {"%coffer-auditors"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config *config = check_loads(texts[i]);

		ck_assert_str_eq(config->state_dir, "/var/lib/coffer");
		ck_assert_str_eq(config->anchor, "/var/lib/coffer-anchor");
		ck_assert_str_eq(config->socket, "/run/coffer/coffer.sock");
		ck_assert_str_eq(config->backup_dir, "/var/lib/coffer-backup");
		ck_assert_str_eq(config->archive_dir, "/var/lib/coffer-archive");
		ck_assert_int_eq(config->root_key_source, ROOT_KEY_CREDENTIAL);
		ck_assert_str_eq(config->root_key_path, "");
		ck_assert(!config->allow_swap);
		check_names(&config->admin, admin, 1);
		check_names(&config->operator, operators, 1);
		check_names(&config->auditor, auditors, 1);
		check_default_limits(config);
		config_free(config);
	}
	config_free(NULL);
	remove_file();
}
END_TEST

START_TEST(config_reads_every_section)
{
	static const char text[] = "# comment\n"
				   "[vault]   ; comment\n"
				   "  state_dir = /srv/coffer          ; the store\n"
				   "anchor=/mnt/anchor\n"
				   "socket : /run/c.sock\n"
				   "\troot_key  = file:/etc/coffer/key\n"
				   "allow_swap = yes\n"
				   "\n"
				   "[roles]\n"
				   "admin = root , alice,%wheel\n"
				   "operator =\n"
				   "[approval]\n"
				   "require = grant.add,secret.revoke, integration.retire ; two\n"
				   "expire_days = 3\n"
				   "[policy]\n"
				   "require = approval , docs\n"
				   "[audit]\n"
				   "keep_days = 730\n"
				   "[limits]\n"
				   "connections = 65536\n"
				   "shutdown_ms = 0";
	static const char *const admin[] = {"root", "alice", "%wheel"};
	static const char *const auditors[] = {"%coffer-auditors"};
	struct config *config = check_loads(text);

	ck_assert_str_eq(config->state_dir, "/srv/coffer");
	ck_assert_str_eq(config->anchor, "/mnt/anchor");
	ck_assert_str_eq(config->socket, "/run/c.sock");
	ck_assert_str_eq(config->backup_dir, "/var/lib/coffer-backup");
	ck_assert_int_eq(config->root_key_source, ROOT_KEY_FILE);
	ck_assert_str_eq(config->root_key_path, "/etc/coffer/key");
	ck_assert(config->allow_swap);
	ck_assert(config->rules.needs_approval[REQUEST_GRANT_ADD]);
	ck_assert(config->rules.needs_approval[REQUEST_SECRET_REVOKE]);
	ck_assert(!config->rules.needs_approval[REQUEST_SECRET_PROMOTE]);
	ck_assert(config->rules.needs_approval[REQUEST_INTEGRATION_RETIRE]);
	ck_assert_int_eq(config->rules.approval_days, 3);
	ck_assert(config->rules.is_required[FIELD_APPROVAL]);
	ck_assert(config->rules.is_required[FIELD_DOCS]);
	ck_assert(!config->rules.is_required[FIELD_PURPOSE]);
	ck_assert_int_eq(config->rules.audit_keep_days, 730);
	ck_assert_int_eq(config->rules.unused_days, 90);
	check_names(&config->admin, admin, 3);
	check_names(&config->operator, NULL, 0);
	check_names(&config->auditor, auditors, 1);
	ck_assert_int_eq(config->limits.connections, 65536);
	ck_assert_int_eq(config->limits.shutdown_ms, 0);
	ck_assert_int_eq(config->limits.idle_ms, 30000);
	config_free(config);
	remove_file();
}
END_TEST

START_TEST(config_anchor_next_to_the_store_is_fine)
{
	config_free(check_loads("[vault]\nstate_dir = /a/store\nanchor = /a/store-anchor\n"));
	remove_file();
}
END_TEST

START_TEST(config_names_the_vault_settings_that_differ)
{
	static const struct row rows[] = {
		{"", 0, ""},
		{"[vault]\nroot_key = credential\nstate_dir = /var/lib/coffer\n", 0, ""},
		{"[limits]\nidle_ms = 2000\n[roles]\nadmin =\n", 0, ""},
		{"[vault]\nallow_swap = yes\n", 0, "allow_swap"},
		{"[vault]\nroot_key = file:/k\n", 0, "root_key"},
		{"[vault]\nsocket = /run/coffer/coffer.soc\nstate_dir = /a\n", 0, "state_dir, socket"},
	};
	struct config *running = check_loads("");
	char names[CONFIG_ERROR_BYTES] = "";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *config = check_loads(rows[i].text);

		ck_assert(config_vault_differs(running, config, names) == (rows[i].words[0] != '\0'));
		ck_assert_str_eq(names, rows[i].words);
		config_free(config);
	}
	config_free(running);
	remove_file();
}
END_TEST

START_TEST(config_default_path_follows_the_xdg_directories)
{
	static char long_home[CONFIG_PATH_BYTES];
	char found[CONFIG_PATH_BYTES] = "untouched";

	unsetenv("XDG_CONFIG_HOME");
	unsetenv("HOME");
	ck_assert_int_eq(config_default_path(true, found), ERR_CONFIG);
	setenv("HOME", "relative", 1);
	ck_assert_int_eq(config_default_path(true, found), ERR_CONFIG);
	memset(long_home, '/', sizeof(long_home) - 1);
	setenv("HOME", long_home, 1);
	ck_assert_int_eq(config_default_path(true, found), ERR_CONFIG);
	ck_assert_str_eq(found, "untouched");

	ck_assert_int_eq(config_default_path(false, found), OK);
	ck_assert_str_eq(found, "/etc/coffer/cofferd.conf");
	setenv("HOME", "/home/alice", 1);
	setenv("XDG_CONFIG_HOME", "relative", 1);
	ck_assert_int_eq(config_default_path(true, found), OK);
	ck_assert_str_eq(found, "/home/alice/.config/coffer/cofferd.conf");
	setenv("XDG_CONFIG_HOME", "/xdg", 1);
	ck_assert_int_eq(config_default_path(true, found), OK);
	ck_assert_str_eq(found, "/xdg/coffer/cofferd.conf");
}
END_TEST

UNIT_MAIN("config", config_refuses_unknown_sections_and_keys, config_refuses_lines_that_are_no_settings,
	config_refuses_a_zero_byte, config_refuses_a_line_over_the_limit_instead_of_cutting_it,
	config_refuses_a_huge_file, config_refuses_a_key_given_twice, config_refuses_paths_that_are_not_plain,
	config_refuses_a_socket_path_that_the_kernel_would_cut, config_refuses_an_anchor_inside_the_store,
	config_refuses_what_this_version_cannot_do, config_refuses_bad_names,
	config_refuses_limits_out_of_range, config_refuses_flags_and_root_keys_that_it_does_not_know,
	config_errors_never_repeat_a_value, config_refuses_a_file_that_others_may_write,
	config_refuses_what_is_no_regular_file, config_error_is_one_line_and_keeps_its_words,
	config_of_an_empty_file_is_the_default, config_reads_every_section,
	config_anchor_next_to_the_store_is_fine, config_names_the_vault_settings_that_differ,
	config_default_path_follows_the_xdg_directories)
