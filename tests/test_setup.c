/*
 * The vault on disk: what init makes and refuses, what open and check notice, how recover brings the root
 * key back, and how the configuration's roles become numbers.
 */
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"
#include "log.h"
#include "roles.h"
#include "rootkey.h"
#include "setup.h"
#include "turn.h"
#include "unit.h"

enum { EXIT_OK = 0, EXIT_BAD_VALUE = 65, EXIT_STORAGE = 74, EXIT_DENIED = 77, EXIT_CONFIG = 78 };

static char dir[64];
static struct config *config;

/* ---- the place ---- */

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void start(void)
{
	strcpy(dir, "/tmp/coffer-setup-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	config = calloc(1, sizeof(*config));
	ck_assert_ptr_nonnull(config);
	snprintf(config->state_dir, sizeof(config->state_dir), "%s", in_dir("state"));
	snprintf(config->root_key_path, sizeof(config->root_key_path), "%s", in_dir("key"));
	config->root_key_source = ROOT_KEY_FILE;
	config->allow_swap = true;
	config->limits = (struct config_limits){.reply_pool_bytes = 1048576,
		.integrations = 10,
		.fetches_per_minute = 10,
		.refusal_window_ms = 1000,
		.line_bytes = 131072};
	unsetenv("CREDENTIALS_DIRECTORY");
	log_set_level((enum log_level)0);
	ck_assert_int_eq((int)crypto_start(), (int)OK);
}

static void end(void)
{
	static const char *const names[] = {"state/coffer.db", "state/coffer.db-wal", "state", "key", "key2",
		"keys/key", "keys", "rootkey", "out", "in", "copy"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)remove(in_dir(names[i]));
	ck_assert_int_eq(rmdir(dir), 0);
	free(config);
}

static bool is_there(const char *name)
{
	struct stat st = {0};

	return lstat(in_dir(name), &st) == 0;
}

static void write_file(const char *name, const char *text, size_t len, mode_t mode)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static size_t read_file(const char *name, char *out, size_t cap)
{
	int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	memset(out, 0, cap);

	ssize_t n = read(fd, out, cap - 1);

	ck_assert_int_ge(n, 0);
	close(fd);
	return (size_t)n;
}

/* ---- what was synced: the linker sends our calls of fsync here (--wrap) ---- */

static struct {
	ino_t inodes[64];
	size_t count;
} synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct stat st = {0};

	if (fstat(fd, &st) == 0 && synced.count < sizeof(synced.inodes) / sizeof(synced.inodes[0]))
		synced.inodes[synced.count++] = st.st_ino;
	return __real_fsync(fd);
}

/* ---- running with standard input and output in files ---- */

static int run(int command(const struct config *), const char *input)
{
	int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO);

	write_file("in", input, strlen(input), 0600);
	fflush(stdout);

	int from = open(in_dir("in"), O_RDONLY | O_CLOEXEC);
	int to = open(in_dir("out"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert(in >= 0 && out >= 0 && from >= 0 && to >= 0);
	dup2(from, STDIN_FILENO);
	dup2(to, STDOUT_FILENO);

	int code = command(config);

	fflush(stdout);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	close(in);
	close(out);
	close(from);
	close(to);
	return code;
}

/* For init: run takes commands that have the configuration alone. */
static struct setup_recipients recipients;
static bool is_new;

static int init_for_recipients(const struct config *for_config)
{
	return setup_init_for(for_config, &recipients, &is_new);
}

static int setup_init(const struct config *for_config)
{
	static const struct setup_recipients none;

	return setup_init_for(for_config, &none, &is_new);
}

static int make_recovery_key(const struct config *nothing)
{
	(void)nothing;
	return setup_recovery_key();
}

static void take_word(const char *text, const char *head, char out[RECOVERY_TEXT_BYTES])
{
	const char *word = strstr(text, head);

	ck_assert_ptr_nonnull(word);
	snprintf(out, RECOVERY_TEXT_BYTES, "%.*s", (int)strcspn(word, "\n"), word);
}

/* A pair as it is printed. */
static void new_pair(char recipient[RECOVERY_TEXT_BYTES], char secret[RECOVERY_TEXT_BYTES])
{
	char text[2048] = "";

	ck_assert_int_eq(run(make_recovery_key, ""), EXIT_OK);
	read_file("out", text, sizeof(text));
	take_word(text, "coffer-recipient-1-", recipient);
	take_word(text, "coffer-recovery-1-", secret);
}

/* Makes the vault; its recovery key, as it was printed. */
static void init(char recovery[RECOVERY_TEXT_BYTES])
{
	char text[2048] = "";

	ck_assert_int_eq(run(setup_init, ""), EXIT_OK);
	read_file("out", text, sizeof(text));

	char *line = strstr(text, "coffer-recovery-1-");

	ck_assert_ptr_nonnull(line);
	snprintf(recovery, RECOVERY_TEXT_BYTES, "%.*s", (int)strcspn(line, "\n"), line);
}

static void start_with_vault(void)
{
	char recovery[RECOVERY_TEXT_BYTES] = "";

	start();
	init(recovery);
}

static const char *mend; /* of the last open_vault that was refused */

static enum err open_vault(const char **reason_out)
{
	struct store *store = NULL;
	struct keys *keys = NULL;
	struct setup_refusal refusal = {0};
	enum err err = setup_open(config, &store, &keys, &refusal);

	*reason_out = refusal.reason;
	mend = refusal.mend;
	keys_free(keys);
	store_close(store);
	return err;
}

static void check_open_refused(enum err wanted, const char *part)
{
	const char *reason = NULL;

	ck_assert_int_eq((int)open_vault(&reason), (int)wanted);
	ck_assert_ptr_nonnull(reason);
	ck_assert_msg(strstr(reason, part) != NULL, "%s", reason);
}

/* ---- something to keep, put through the core itself ---- */

static void on_delivered(struct exchange *exchange)
{
	ck_assert_msg(strstr(exchange->reply.bytes, "\"result\"") != NULL, "%s", exchange->reply.bytes);
}

static void send_line(struct core *core, const char *method, const char *params)
{
	struct principal who = {.uid = geteuid(), .gid = getegid(), .pid = getpid(), .pidfd = -1};
	struct exchange exchange = {.principal = &who, .deliver = on_delivered};
	char line[1024] = "";
	int len = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);

	turn_handle(core_turn(core), &exchange, line, (size_t)len);
	turn_end(core_turn(core));
	reply_clear(core, &exchange.reply);
}

static void fill_vault(void)
{
	static const struct roles nobody;
	struct core_options options = {
		.limits = &config->limits, .rules = &config->rules, .roles = &nobody, .may_swap = true};
	struct core *core = NULL;
	struct setup_refusal refusal = {0};

	ck_assert_int_eq((int)setup_open(config, &options.store, &options.keys, &refusal), (int)OK);
	ck_assert_int_eq((int)core_new(&options, &core), (int)OK);
	send_line(core, "integration.add",
		"{\"name\":\"a\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}");
	send_line(core, "integration.add",
		"{\"name\":\"b\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}");
	send_line(core, "secret.put", "{\"integration\":\"a\",\"key\":\"A\",\"value\":\"one\"}");
	send_line(core, "secret.put", "{\"integration\":\"a\",\"key\":\"A\",\"value\":\"two\"}");
	send_line(core, "secret.put", "{\"integration\":\"b\",\"key\":\"B\",\"value\":\"three\"}");
	send_line(core, "secret.revoke", "{\"integration\":\"a\",\"key\":\"A\",\"version\":1}");
	core_free(core);
}

/* flip(blob, n): the blob with one bit of its n-th byte changed, from 0; from the end when negative. */
static void flip(sqlite3_context *context, int count, sqlite3_value **args)
{
	unsigned char bytes[256] = {0};
	int len = sqlite3_value_bytes(args[0]), at = sqlite3_value_int(args[1]);

	ck_assert_int_eq(count, 2);
	ck_assert_int_le(len, (int)sizeof(bytes));
	memcpy(bytes, sqlite3_value_blob(args[0]), (size_t)len);
	bytes[at < 0 ? len + at : at] ^= 1;
	sqlite3_result_blob(context, bytes, len, SQLITE_TRANSIENT);
}

/* Behind the daemon's back. */
static void damage(const char *sql)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(in_dir("state/coffer.db"), &db), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_create_function(db, "flip", 2, SQLITE_UTF8, NULL, flip, NULL, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	ck_assert_int_gt(sqlite3_changes(db), 0);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* ---- init ---- */

START_TEST(init_leaves_a_vault_that_exists_as_it_is)
{
	static char before[1 << 20], after[1 << 20];
	char key[256] = "", key_after[256] = "";

	start_with_vault();

	size_t len = read_file("state/coffer.db", before, sizeof(before));

	ck_assert(is_new);
	read_file("key", key, sizeof(key));
	ck_assert_int_eq(run(setup_init, ""), EXIT_OK);
	ck_assert(!is_new);
	read_file("out", after, sizeof(after));
	ck_assert_ptr_nonnull(strstr(after, "There is a whole vault in "));
	ck_assert_ptr_nonnull(strstr(after, "nothing was changed"));
	ck_assert_uint_eq(read_file("state/coffer.db", after, sizeof(after)), len);
	ck_assert_mem_eq(before, after, len);
	read_file("key", key_after, sizeof(key_after));
	ck_assert_str_eq(key, key_after);
	end();
}
END_TEST

/* It is no failure only while it would be served. */
START_TEST(init_says_what_a_vault_that_exists_lacks)
{
	char key[256] = "";

	start_with_vault();

	size_t len = read_file("key", key, sizeof(key));

	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(!is_there("key"));
	write_file("key", "somebody's key", 14, 0400);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	write_file("key", key, len, 0400);
	ck_assert_int_eq(run(setup_init, ""), EXIT_OK);
	damage("UPDATE keyring SET wrapped = flip(wrapped, 60) WHERE purpose LIKE 'MAC%'");
	ck_assert_int_eq(run(setup_init, ""), EXIT_STORAGE);
	ck_assert(!is_new);
	end();
}
END_TEST

START_TEST(init_leaves_a_vault_that_is_served_as_it_is)
{
	struct store *store = NULL;
	struct keys *keys = NULL;
	struct setup_refusal refusal = {0};

	start_with_vault();
	ck_assert_int_eq((int)setup_open(config, &store, &keys, &refusal), (int)OK);

	pid_t child = fork(); /* the lock is the process's */
	int status = 0;

	if (child == 0)
		_exit(run(setup_init, "") == EXIT_OK && !is_new ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	keys_free(keys);
	store_close(store);
	end();
}
END_TEST

START_TEST(init_leaves_any_file_of_that_name_as_it_is)
{
	start();
	ck_assert_int_eq(mkdir(in_dir("state"), 0700), 0);
	write_file("state/coffer.db", "", 0, 0600);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(!is_there("key"));
	ck_assert_int_eq(unlink(in_dir("state/coffer.db")), 0);
	ck_assert_int_eq(symlink("nowhere", in_dir("state/coffer.db")), 0);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(!is_there("key"));
	end();
}
END_TEST

START_TEST(init_leaves_a_root_key_that_exists_as_it_is)
{
	char text[256] = "";

	start();
	write_file("key", "somebody's key", 14, 0400);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	read_file("key", text, sizeof(text));
	ck_assert_str_eq(text, "somebody's key");
	ck_assert(!is_there("state"));
	end();
}
END_TEST

START_TEST(init_takes_its_own_key_back_when_the_store_cannot_be_made)
{
	start();
	ck_assert_int_eq(mkdir(in_dir("state"), 0700), 0);
	ck_assert_int_eq(chmod(in_dir("state"), 0755), 0);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(!is_there("key"));
	ck_assert(!is_there("state/coffer.db"));
	end();
}
END_TEST

START_TEST(init_takes_its_own_directory_back_when_the_root_key_cannot_be_made)
{
	start();
	snprintf(config->root_key_path, sizeof(config->root_key_path), "%s", in_dir("none/key"));
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(!is_there("state"));
	ck_assert_int_eq(mkdir(in_dir("state"), 0700), 0);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(is_there("state")); /* it was there before */
	end();
}
END_TEST

START_TEST(init_makes_no_parent_directories)
{
	start();
	snprintf(config->state_dir, sizeof(config->state_dir), "%s", in_dir("none/state"));
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(!is_there("key"));
	end();
}
END_TEST

START_TEST(init_with_a_credential_needs_the_credential)
{
	char text[1024] = "";

	start_with_vault();
	ck_assert_int_eq(unlink(in_dir("state/coffer.db")), 0);
	config->root_key_source = ROOT_KEY_CREDENTIAL;
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	ck_assert_int_eq(run(setup_init, ""), EXIT_CONFIG);
	ck_assert(!is_there("state/coffer.db"));

	size_t len = read_file("key", text, sizeof(text));

	write_file("rootkey", text, len, 0400);
	ck_assert_int_eq(run(setup_init, ""), EXIT_OK);
	ck_assert(is_there("rootkey"));
	end();
}
END_TEST

/* Init in a process of its own, writing to this descriptor. */
static int init_printing_to(int fd)
{
	int status = 0;

	ck_assert_int_ge(fd, 0);
	fflush(stdout);

	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(fd, STDOUT_FILENO);
		_exit(setup_init(config));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void check_nothing_was_made(void)
{
	ck_assert(!is_there("key"));
	ck_assert(!is_there("state/coffer.db"));
	ck_assert(!is_there("state/coffer.db-wal"));
	ck_assert(!is_there("state/coffer.db-journal"));
}

/* A pipe of one page with room for so many bytes more; writing does not wait. */
static void fill_pipe(int ends[2], size_t room)
{
	static const char bytes[PIPE_BUF];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BUF), PIPE_BUF);
	ck_assert_int_eq(write(ends[1], bytes, PIPE_BUF - room), (ssize_t)(PIPE_BUF - room));
}

/* Nobody would ever see this vault's recovery key again. */
START_TEST(init_that_cannot_print_the_recovery_key_makes_nothing)
{
	char text[2048] = "", recovery[RECOVERY_TEXT_BYTES] = "";
	int ends[2] = {-1, -1};

	start();

	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(init_printing_to(full), EXIT_STORAGE);
	check_nothing_was_made();
	ck_assert(!is_there("state"));
	close(full);

	/* Room for everything but the key's last bytes. */
	init(recovery);

	size_t len = read_file("out", text, sizeof(text));

	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(unlink(in_dir("state/coffer.db")), 0);
	for (size_t missing = 1; missing <= 2; missing++) {
		fill_pipe(ends, len - missing);
		ck_assert_int_eq(init_printing_to(ends[1]), EXIT_STORAGE);
		check_nothing_was_made();
		close(ends[0]);
		close(ends[1]);
	}
	init(recovery); /* what failed is not in the way */
	end();
}
END_TEST

static bool is_synced_after(const char *name, size_t first, size_t *at_out)
{
	struct stat st = {0};

	ck_assert_int_eq(stat(in_dir(name), &st), 0);
	for (size_t i = first; i < synced.count; i++)
		if (synced.inodes[i] == st.st_ino) {
			*at_out = i;
			return true;
		}
	return false;
}

/* P5: a file whose name is not synced may be gone after a power cut, and here that would be the only key. */
START_TEST(init_syncs_the_directories_that_hold_what_it_made)
{
	char recovery[RECOVERY_TEXT_BYTES] = "";
	size_t at = 0;

	start();
	ck_assert_int_eq(mkdir(in_dir("keys"), 0700), 0);
	snprintf(config->root_key_path, sizeof(config->root_key_path), "%s", in_dir("keys/key"));
	synced.count = 0;
	init(recovery);
	ck_assert(is_synced_after(".", 0, &at)); /* it holds state_dir */
	ck_assert(is_synced_after("keys/key", 0, &at));
	ck_assert(is_synced_after("keys", at, &at));
	end();
}
END_TEST

START_TEST(init_makes_a_vault_that_opens_and_is_whole)
{
	struct stat st = {0};
	const char *reason = NULL;

	start_with_vault();
	ck_assert_int_eq((int)open_vault(&reason), (int)OK);
	ck_assert_int_eq(stat(in_dir("key"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0400);
	ck_assert_int_eq(stat(in_dir("state"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(in_dir("state/coffer.db"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);
	end();
}
END_TEST

/* ---- init for recovery keys that were made elsewhere ---- */

static void check_recipient_refused(const char *text, enum err wanted, const char *part)
{
	size_t count = recipients.count;
	const char *reason = NULL;

	ck_assert_int_eq((int)setup_add_recipient(&recipients, text, &reason), (int)wanted);
	ck_assert_uint_eq(recipients.count, count);
	ck_assert_msg(strstr(reason, part) != NULL, "%s", reason);
}

START_TEST(recipients_are_refused_by_name_and_without_repeating_them)
{
	char recipient[RECOVERY_TEXT_BYTES] = "", secret[RECOVERY_TEXT_BYTES] = "";
	const char *reason = NULL;

	start();
	recipients = (struct setup_recipients){0};
	check_recipient_refused("", ERR_BAD_VALUE, "cofferd recovery-key");
	check_recipient_refused("coffer-recipient-1-00-00", ERR_BAD_VALUE, "or not all of it");
	new_pair(recipient, secret);
	check_recipient_refused(secret, ERR_BAD_VALUE, "secret: it is in the shell's history now");
	ck_assert_int_eq((int)setup_add_recipient(&recipients, secret, &reason), (int)ERR_BAD_VALUE);
	ck_assert_ptr_null(strstr(reason, secret + strlen("coffer-recovery-1-")));
	ck_assert_int_eq((int)setup_add_recipient(&recipients, recipient, &reason), (int)OK);
	check_recipient_refused(recipient, ERR_BAD_VALUE, "the same recipient twice");
	while (recipients.count < SETUP_RECIPIENTS_MAX) {
		new_pair(recipient, secret);
		ck_assert_int_eq((int)setup_add_recipient(&recipients, recipient, &reason), (int)OK);
	}
	new_pair(recipient, secret);
	check_recipient_refused(recipient, ERR_TOO_LARGE, "at most 8");
	end();
}
END_TEST

START_TEST(init_for_recipients_leaves_a_vault_that_exists_as_it_is)
{
	char recipient[RECOVERY_TEXT_BYTES] = "", secret[RECOVERY_TEXT_BYTES] = "", key[256] = "",
	     key_after[256] = "";
	const char *reason = NULL;

	start();
	recipients = (struct setup_recipients){0};
	new_pair(recipient, secret);
	ck_assert_int_eq((int)setup_add_recipient(&recipients, recipient, &reason), (int)OK);
	ck_assert_int_eq(run(init_for_recipients, ""), EXIT_OK);
	read_file("key", key, sizeof(key));
	ck_assert_int_eq(run(init_for_recipients, ""), EXIT_OK);
	ck_assert(!is_new);
	new_pair(recipient, secret);
	ck_assert_int_eq((int)setup_add_recipient(&recipients, recipient, &reason), (int)OK);
	ck_assert_int_eq(run(init_for_recipients, ""), EXIT_CONFIG); /* nothing is sealed for that one */
	read_file("key", key_after, sizeof(key_after));
	ck_assert_str_eq(key, key_after);
	end();
}
END_TEST

/* P1: nothing that opens anything is on this host but the root key's own file. */
START_TEST(each_recipient_recovers_and_init_says_nothing_secret)
{
	char recipient[RECOVERY_TEXT_BYTES] = "", secret[3][RECOVERY_TEXT_BYTES] = {""};
	char text[2048] = "", before[256] = "", after[256] = "";
	const char *reason = NULL;

	start();
	recipients = (struct setup_recipients){0};
	for (int i = 0; i < 2; i++) {
		new_pair(recipient, secret[i]);
		ck_assert_int_eq((int)setup_add_recipient(&recipients, recipient, &reason), (int)OK);
	}
	new_pair(recipient, secret[2]);
	ck_assert_int_eq(run(init_for_recipients, ""), EXIT_OK);
	read_file("out", text, sizeof(text));
	ck_assert_ptr_null(strstr(text, "coffer-recovery-1-"));
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(strstr(text, recipients.key[i].fingerprint));
	fill_vault();
	read_file("key", before, sizeof(before));
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(run(setup_recover, secret[2]), EXIT_DENIED);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(run(setup_recover, secret[i]), EXIT_OK);
		read_file("key", after, sizeof(after));
		ck_assert_str_eq(before, after);
		ck_assert_int_eq(run(setup_check, ""), EXIT_OK);
		ck_assert_int_eq(unlink(in_dir("key")), 0);
	}
	end();
}
END_TEST

/* ---- open ---- */

START_TEST(open_without_a_vault_says_how_to_make_one)
{
	start_with_vault();
	ck_assert_int_eq(unlink(in_dir("state/coffer.db")), 0);
	check_open_refused(ERR_CONFIG, "cofferd init");
	end();
}
END_TEST

START_TEST(open_names_the_path_that_the_reason_is_about)
{
	char part[256] = "";

	start_with_vault();
	ck_assert_int_eq(chmod(in_dir("state"), 0755), 0);
	snprintf(part, sizeof(part), "state_dir %s: ", in_dir("state"));
	check_open_refused(ERR_CONFIG, part);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	snprintf(part, sizeof(part), "root_key %s: there is no root key there; make the vault with ",
		in_dir("key"));
	check_open_refused(ERR_CONFIG, part);
	check_open_refused(ERR_CONFIG, "cofferd init, or restore the key with cofferd recover");
	end();
}
END_TEST

START_TEST(open_with_the_wrong_root_key_says_so)
{
	struct root_key *other = NULL;
	const char *reason = NULL;

	start_with_vault();
	ck_assert_int_eq((int)root_key_generate(&other), (int)OK);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq((int)rootkey_write(config, other, &reason), (int)OK);
	root_key_free(other);
	check_open_refused(ERR_CONFIG, "wrong root key");
	end();
}
END_TEST

START_TEST(open_refuses_a_root_key_that_others_may_read_or_change)
{
	static const mode_t bad[] = {0600, 0440, 0404, 0420, 0402, 0644, 0777, 0500};

	start_with_vault();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(chmod(in_dir("key"), bad[i]), 0);
		check_open_refused(ERR_CONFIG, "chmod 0400");
	}
	end();
}
END_TEST

START_TEST(open_refuses_a_root_key_of_another_user)
{
	start_with_vault();
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(in_dir("key"), 70001, 70001), 0);
		check_open_refused(ERR_CONFIG, "another user");
	}
	end();
}
END_TEST

START_TEST(open_refuses_what_is_no_root_key)
{
	char text[256] = "", bad[256] = "";

	start_with_vault();

	size_t len = read_file("key", text, sizeof(text));

	ck_assert_int_eq(rename(in_dir("key"), in_dir("key2")), 0);
	check_open_refused(ERR_CONFIG, "there is no root key");
	ck_assert_int_eq(symlink(in_dir("key2"), in_dir("key")), 0);
	check_open_refused(ERR_CONFIG, "cannot be opened");
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(mkdir(in_dir("key"), 0400), 0);
	check_open_refused(ERR_CONFIG, "not a regular file");
	ck_assert_int_eq(rmdir(in_dir("key")), 0);
	ck_assert_int_eq(mkfifo(in_dir("key"), 0400), 0);
	check_open_refused(ERR_CONFIG, "not a regular file"); /* and does not wait for a writer */
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, text, sizeof(bad));
		bad[i] ^= 1;
		write_file("key", bad, len, 0400);
		check_open_refused(ERR_CONFIG, "this is not a coffer root key");
		ck_assert_int_eq(unlink(in_dir("key")), 0);
	}
	write_file("key", text, len - 1, 0400);
	check_open_refused(ERR_CONFIG, "this is not a coffer root key");
	memset(bad, 'x', sizeof(bad));
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	write_file("key", bad, sizeof(bad), 0400);
	check_open_refused(ERR_CONFIG, "this is not a coffer root key");
	end();
}
END_TEST

START_TEST(open_without_its_credential_names_the_setting)
{
	char text[256] = "";
	const char *reason = NULL;

	start_with_vault();

	size_t len = read_file("key", text, sizeof(text));

	config->root_key_source = ROOT_KEY_CREDENTIAL;
	check_open_refused(ERR_CONFIG, "LoadCredentialEncrypted=rootkey");
	setenv("CREDENTIALS_DIRECTORY", "relative", 1);
	check_open_refused(ERR_CONFIG, "LoadCredentialEncrypted=rootkey");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	check_open_refused(ERR_CONFIG, "there is no root key");
	write_file("rootkey", text, len, 0444);
	check_open_refused(ERR_CONFIG, "chmod 0400");
	ck_assert_int_eq(chmod(in_dir("rootkey"), 0440), 0); /* root's, with an ACL for the unit's user */
	ck_assert_int_eq((int)open_vault(&reason), (int)OK);
	end();
}
END_TEST

START_TEST(open_refuses_a_vault_that_others_may_reach)
{
	start_with_vault();
	ck_assert_int_eq(chmod(in_dir("state"), 0750), 0);
	check_open_refused(ERR_CONFIG, "");
	ck_assert_int_eq(chmod(in_dir("state"), 0700), 0);
	ck_assert_int_eq(chmod(in_dir("state/coffer.db"), 0640), 0);
	check_open_refused(ERR_CONFIG, "");
	end();
}
END_TEST

START_TEST(open_tells_a_damaged_keyring_from_a_wrong_key)
{
	start_with_vault();
	damage("UPDATE keyring SET wrapped = flip(wrapped, 60) WHERE purpose LIKE 'MAC%'");
	check_open_refused(ERR_STORAGE, "keyring is damaged");
	damage("DELETE FROM keyring WHERE purpose LIKE 'MAC%'");
	check_open_refused(ERR_STORAGE, "keyring is damaged");
	end();
}
END_TEST

static void check_mend(const char *part)
{
	const char *reason = NULL;

	ck_assert_int_ne((int)open_vault(&reason), (int)OK);
	ck_assert_msg(strstr(mend, part) != NULL, "%s", mend);
	ck_assert_ptr_null(strchr(mend, '/')); /* everybody reads it */
}

START_TEST(open_tells_everybody_the_way_out)
{
	struct root_key *other = NULL;
	char key[256] = "";
	const char *reason = NULL;

	start();
	check_mend("it is not initialised; run cofferd init");
	config->root_key_source = ROOT_KEY_CREDENTIAL;
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	check_mend("it is not initialised; run cofferd init as root");
	write_file("rootkey", "absent", 6, 0400); /* as the unit gives it where there is none */
	check_mend("it is not initialised; run cofferd init as root");
	check_open_refused(
		ERR_CONFIG, "there is no root key there; as root, make the vault with cofferd init");
	config->root_key_source = ROOT_KEY_FILE;
	ck_assert_int_eq(run(setup_init, ""), EXIT_OK);

	size_t len = read_file("key", key, sizeof(key));

	ck_assert_int_eq(unlink(in_dir("key")), 0);
	check_mend("its root key is missing; run cofferd recover");
	write_file("key", "nonsense", 8, 0400);
	check_mend("journalctl -u cofferd");
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq((int)root_key_generate(&other), (int)OK);
	ck_assert_int_eq((int)rootkey_write(config, other, &reason), (int)OK);
	root_key_free(other);
	check_mend("the root key is another vault's");
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	write_file("key", key, len, 0400);
	damage("PRAGMA user_version=2147483647; UPDATE state SET created_ms = created_ms");
	check_mend("its store was written by a newer version of coffer");
	check_open_refused(ERR_CONFIG, "written by a newer version of coffer");
	ck_assert_int_eq(unlink(in_dir("state/coffer.db")), 0);
	check_mend("its store is missing; restore a backup");
	end();
}
END_TEST

START_TEST(open_refuses_a_vault_that_is_open)
{
	struct store *store = NULL;
	struct keys *keys = NULL;
	struct setup_refusal refusal = {0};

	start_with_vault();
	ck_assert_int_eq((int)setup_open(config, &store, &keys, &refusal), (int)OK);
	check_open_refused(ERR_BUSY, "another process");
	keys_free(keys);
	store_close(store);
	end();
}
END_TEST

/* ---- check ---- */

/* P6, P7 */
START_TEST(check_finds_each_kind_of_damage)
{
	static const char *const damages[] = {
		/* A bit of a sealed value: in its format, nonce, commitment, text and tag; and a byte too few. */
		"UPDATE version SET sealed = flip(sealed, 0) WHERE version = 2",
		"UPDATE version SET sealed = flip(sealed, 1) WHERE version = 2",
		"UPDATE version SET sealed = flip(sealed, 30) WHERE version = 2",
		"UPDATE version SET sealed = flip(sealed, 60) WHERE version = 2",
		"UPDATE version SET sealed = flip(sealed, -1) WHERE version = 2",
		"UPDATE version SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE version = 2",
		/* A value moved to where it does not belong. */
		"UPDATE version SET sealed = (SELECT sealed FROM version WHERE key = 'B') WHERE version = 2",
		"UPDATE version SET version = 7 WHERE version = 2",
		"UPDATE version SET dek_generation = 2 WHERE version = 2",
		/* A data key of another integration. */
		"UPDATE integration SET dek = (SELECT dek FROM integration WHERE name = 'b')",
		/* An audit record changed, and taken away: the first, one between, the newest, all. */
		"UPDATE audit SET uid = uid + 1 WHERE seq = 3",
		"UPDATE audit SET detail = 'x' WHERE seq = 3",
		"DELETE FROM audit WHERE seq = 1",
		"DELETE FROM audit WHERE seq = 3",
		"DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
		"DELETE FROM audit",
		"UPDATE state SET audit_seq = audit_seq - 1",
		"UPDATE state SET audit_head = zeroblob(32)",
	};
	static char whole[1 << 20];

	start_with_vault();
	fill_vault();
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);

	size_t len = read_file("state/coffer.db", whole, sizeof(whole));

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		damage(damages[i]);

		int code = run(setup_check, "");

		ck_assert_msg(code == EXIT_STORAGE || code == EXIT_CONFIG, "%d after %s", code, damages[i]);
		ck_assert_int_eq(truncate(in_dir("state/coffer.db"), 0), 0);
		write_file("state/coffer.db", whole, len, 0600);
	}
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);
	end();
}
END_TEST

/* P7: what was archived is gone, and nothing else may be. */
START_TEST(check_begins_at_the_cut_and_finds_damage_behind_it)
{
	static const char *const damages[] = {
		"UPDATE state SET audit_cut_seq = 2",
		"UPDATE state SET audit_cut_seq = 0, audit_cut_hash = zeroblob(32)",
		"UPDATE state SET audit_cut_hash = flip(audit_cut_hash, 0)",
		"DELETE FROM audit WHERE seq = 4",
		"UPDATE audit SET uid = uid + 1 WHERE seq = 4",
		"UPDATE state SET audit_bytes = audit_bytes + 1",
	};
	static char whole[1 << 20];
	char text[512] = "";

	start_with_vault();
	fill_vault();
	damage("UPDATE state SET audit_cut_seq = 3, audit_cut_hash = (SELECT hash FROM audit WHERE seq = 3), "
	       "audit_bytes = audit_bytes - (SELECT sum(128 + length(kind) + length(outcome) + length(unit) "
	       "+ length(integration) + length(key) + length(run) + length(subject) + length(detail)) "
	       "FROM audit WHERE seq <= 3);"
	       "DELETE FROM audit WHERE seq <= 3");
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);
	read_file("out", text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "4 audit records behind the 3 that were archived; "));

	size_t len = read_file("state/coffer.db", whole, sizeof(whole));

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		damage(damages[i]);
		ck_assert_msg(run(setup_check, "") == EXIT_STORAGE, "%s", damages[i]);
		ck_assert_int_eq(truncate(in_dir("state/coffer.db"), 0), 0);
		write_file("state/coffer.db", whole, len, 0600);
	}
	end();
}
END_TEST

START_TEST(check_says_what_it_has_read)
{
	char text[512] = "";

	start_with_vault();
	fill_vault();
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);
	read_file("out", text, sizeof(text));
	ck_assert_str_eq(text, "The vault is whole: 2 integrations, 2 sealed values, 7 audit records; this "
			       "version does not authenticate configuration rows (see SECURITY.md)\n");
	end();
}
END_TEST

START_TEST(check_needs_the_root_key)
{
	start_with_vault();
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(run(setup_check, ""), EXIT_CONFIG);
	end();
}
END_TEST

/* ---- recover ---- */

START_TEST(recover_refuses_what_is_no_recovery_key)
{
	static const char *const bad[] = {"", "\n", "hello\n", "coffer-recovery-1-00-00\n"};
	char recovery[RECOVERY_TEXT_BYTES] = "";

	start();
	init(recovery);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(run(setup_recover, bad[i]), EXIT_BAD_VALUE);
	recovery[30] = recovery[30] == '0' ? '1' : '0';
	ck_assert_int_eq(run(setup_recover, recovery), EXIT_BAD_VALUE);
	ck_assert(!is_there("key"));
	end();
}
END_TEST

START_TEST(recover_refuses_the_recovery_key_of_another_vault)
{
	char first[RECOVERY_TEXT_BYTES] = "", second[RECOVERY_TEXT_BYTES] = "";

	start();
	init(first);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(unlink(in_dir("state/coffer.db")), 0);
	init(second);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(run(setup_recover, first), EXIT_DENIED);
	ck_assert(!is_there("key"));
	ck_assert_int_eq(run(setup_recover, second), EXIT_OK);
	end();
}
END_TEST

START_TEST(recover_leaves_a_root_key_that_exists_as_it_is)
{
	char recovery[RECOVERY_TEXT_BYTES] = "", text[256] = "";

	start();
	init(recovery);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	write_file("key", "somebody's key", 14, 0400);
	ck_assert_int_eq(run(setup_recover, recovery), EXIT_CONFIG);
	read_file("key", text, sizeof(text));
	ck_assert_str_eq(text, "somebody's key");
	config->root_key_source = ROOT_KEY_CREDENTIAL;
	ck_assert_int_eq(run(setup_recover, recovery), EXIT_CONFIG);
	end();
}
END_TEST

static enum err count_proof(void *arg, const struct record *record)
{
	unsigned *count = arg;

	ck_assert_str_eq(record->kind, "vault.recover");
	ck_assert_str_eq(record->outcome, "ok");
	(*count)++;
	return OK;
}

/* Records that say so, in a log that is whole. */
static unsigned proofs(void)
{
	struct store_audit_filter filter = {.kind = "vault.recover"};
	const char *reason = NULL;
	struct store *store = NULL;
	unsigned count = 0;

	ck_assert_int_eq((int)store_open(config->state_dir, &store, &reason), (int)OK);
	ck_assert_int_eq((int)store_audit_each(store, &filter, count_proof, &count), (int)OK);
	store_close(store);
	return count;
}

START_TEST(recover_check_records_nothing_but_a_proof)
{
	char recovery[RECOVERY_TEXT_BYTES] = "", other[RECOVERY_TEXT_BYTES] = "", before[256] = "",
	     after[256] = "";

	start();
	init(other);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(unlink(in_dir("state/coffer.db")), 0);
	init(recovery);
	fill_vault();
	read_file("key", before, sizeof(before));
	ck_assert_int_eq(run(setup_recover_check, ""), EXIT_BAD_VALUE);
	ck_assert_int_eq(run(setup_recover_check, other), EXIT_DENIED);
	ck_assert_uint_eq(proofs(), 0);
	ck_assert_int_eq(run(setup_recover_check, recovery), EXIT_OK);
	ck_assert_uint_eq(proofs(), 1);
	config->root_key_source = ROOT_KEY_CREDENTIAL; /* no file is needed */
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	ck_assert_int_eq(run(setup_recover_check, recovery), EXIT_OK);
	config->root_key_source = ROOT_KEY_FILE;
	ck_assert_uint_eq(proofs(), 2);
	read_file("key", after, sizeof(after));
	ck_assert_str_eq(before, after);
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(run(setup_recover, recovery), EXIT_OK);
	ck_assert_uint_eq(proofs(), 3);
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);
	end();
}
END_TEST

START_TEST(recover_makes_the_same_root_key_anew)
{
	char recovery[RECOVERY_TEXT_BYTES] = "", before[256] = "", after[256] = "";
	const char *reason = NULL;

	start();
	init(recovery);
	fill_vault();
	read_file("key", before, sizeof(before));
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	ck_assert_int_eq(run(setup_recover, recovery), EXIT_OK);
	read_file("key", after, sizeof(after));
	ck_assert_str_eq(before, after);
	ck_assert_int_eq((int)open_vault(&reason), (int)OK);
	ck_assert_int_eq(run(setup_check, ""), EXIT_OK);

	/* The key itself is not printed. */
	char text[1024] = "", *encoded = strchr(before, '\n') + 1;

	read_file("out", text, sizeof(text));
	*strchr(encoded, '\n') = '\0';
	ck_assert_ptr_null(strstr(text, encoded));
	end();
}
END_TEST

/* ---- roles ---- */

START_TEST(names_that_do_not_exist_here_give_no_role)
{
	struct roles roles = {0};

	start();
	config->admin = (struct config_names){.names = {(char *)(uintptr_t) "no-such-user-here"}, .count = 1};
	config->auditor =
		(struct config_names){.names = {(char *)(uintptr_t) "%no-such-group-here"}, .count = 1};
	ck_assert_int_eq((int)roles_resolve(config, &roles), (int)OK);
	ck_assert_uint_eq(roles.admin.uid_count, 0);
	ck_assert_uint_eq(roles.admin.gid_count, 0);
	ck_assert_uint_eq(roles.auditor.gid_count, 0);
	roles_clear(&roles);
	roles_clear(&roles);
	end();
}
END_TEST

START_TEST(users_and_groups_become_numbers)
{
	struct roles roles = {0};
	struct principal user = {.uid = 70001, .gid = 70009, .pidfd = -1},
			 member = {.uid = 70002, .gid = 70003, .pidfd = -1};

	start();
	config->operator=(struct config_names){
		.names = {(char *)(uintptr_t) "gone-user", (char *)(uintptr_t) "70001",
			(char *)(uintptr_t) "%70003", (char *)(uintptr_t) "root"},
		.count = 4};
	ck_assert_int_eq((int)roles_resolve(config, &roles), (int)OK);
	ck_assert_uint_eq(roles.operator.uid_count, 2);
	ck_assert_uint_eq(roles.operator.uids[0], 70001);
	ck_assert_uint_eq(roles.operator.uids[1], 0);
	ck_assert_uint_eq(roles.operator.gid_count, 1);
	ck_assert_uint_eq(policy_roles(&roles, &user), ROLE_OPERATOR);
	ck_assert_uint_eq(policy_roles(&roles, &member), ROLE_OPERATOR);
	user.uid = 70003; /* a group's number is no user's */
	ck_assert_uint_eq(policy_roles(&roles, &user), 0);
	roles_clear(&roles);
	end();
}
END_TEST

UNIT_MAIN("setup", init_leaves_a_vault_that_exists_as_it_is, init_says_what_a_vault_that_exists_lacks,
	init_leaves_a_vault_that_is_served_as_it_is, init_leaves_any_file_of_that_name_as_it_is,
	init_leaves_a_root_key_that_exists_as_it_is,
	init_takes_its_own_key_back_when_the_store_cannot_be_made,
	init_takes_its_own_directory_back_when_the_root_key_cannot_be_made, init_makes_no_parent_directories,
	init_with_a_credential_needs_the_credential, init_that_cannot_print_the_recovery_key_makes_nothing,
	init_syncs_the_directories_that_hold_what_it_made, init_makes_a_vault_that_opens_and_is_whole,
	recipients_are_refused_by_name_and_without_repeating_them,
	init_for_recipients_leaves_a_vault_that_exists_as_it_is,
	each_recipient_recovers_and_init_says_nothing_secret, open_without_a_vault_says_how_to_make_one,
	open_names_the_path_that_the_reason_is_about, open_with_the_wrong_root_key_says_so,
	open_refuses_a_root_key_that_others_may_read_or_change, open_refuses_a_root_key_of_another_user,
	open_refuses_what_is_no_root_key, open_without_its_credential_names_the_setting,
	open_refuses_a_vault_that_others_may_reach, open_tells_a_damaged_keyring_from_a_wrong_key,
	open_tells_everybody_the_way_out, open_refuses_a_vault_that_is_open, check_finds_each_kind_of_damage,
	check_begins_at_the_cut_and_finds_damage_behind_it, check_says_what_it_has_read,
	check_needs_the_root_key, recover_refuses_what_is_no_recovery_key,
	recover_refuses_the_recovery_key_of_another_vault, recover_leaves_a_root_key_that_exists_as_it_is,
	recover_check_records_nothing_but_a_proof, recover_makes_the_same_root_key_anew,
	names_that_do_not_exist_here_give_no_role, users_and_groups_become_numbers)
