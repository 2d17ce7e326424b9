/*
 * Checkpoints and the archive: what is refused, what a segment holds, that no record is ever in neither place, and that
 * nothing leaves by itself unless the configuration says so.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archives.h"
#include "core_world.h"
#include "segment.h"

enum { FILE_BYTES_MAX = 8 * 1024 * 1024, DAY_MS = 86400000 };

static struct core_world world;
static char folder[64];
static char file[FILE_BYTES_MAX]; /* the one segment of the folder */
static char file_name[256];

static void start(void)
{
	snprintf(folder, sizeof(folder), "/tmp/coffer-archive-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	core_archive_dir = folder;
	core_world_start(&world);
}

static const char *path_in_folder(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void remove_files(void)
{
	DIR *dir = opendir(folder);

	if (dir == NULL)
		return;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

static void end(void)
{
	core_world_end(&world);
	remove_files();
	(void)rmdir(folder);
	core_archive_dir = NULL;
}

/* How many files the folder holds; the last one is read. */
static size_t read_folder(void)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		snprintf(file_name, sizeof(file_name), "%s", entry->d_name);

		FILE *stream = fopen(path_in_folder(file_name), "re");

		ck_assert_ptr_nonnull(stream);
		file[fread(file, 1, sizeof(file) - 1, stream)] = '\0';
		ck_assert(feof(stream) || !ferror(stream));
		fclose(stream);
	}
	closedir(dir);
	return count;
}

static void note(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		core_ask_ok(&world, UID_AUDITOR, "audit.checkpoint", "{}");
}

static const char *time_text(int64_t time_ms)
{
	static char text[TIME_TEXT_BYTES];

	text_format_time(time_ms, text);
	return text;
}

#define archive(until_ms) \
	core_ask(&world, UID_ADMIN, "audit.archive", "{\"until\":\"%s\"}", time_text(until_ms))

static struct store_state state_now(void)
{
	struct store_state state = {0};

	ck_ok(store_state_get(world.core->store, &state));
	return state;
}

static void check_store(void)
{
	const char *reason = "";
	enum err err = store_check(world.core->store, &reason);

	ck_assert_msg(err == OK, "%s", reason);
	core_check_chain(&world);
}

/* One line of the segment as JSON of its own kind; *at moves behind it. */
struct line {
	struct json_token tokens[64];
	struct json_doc doc;
};

static bool next_line(const char **at, struct line *line)
{
	static const struct gate_limits limits = {.depth_max = 1, .tokens_max = 64, .keys_max = 64};
	const char *newline = strchr(*at, '\n');

	if (newline == NULL)
		return false;
	line->doc = (struct json_doc){.text = *at, .tokens = line->tokens};
	ck_ok(gate_scan(*at, (size_t)(newline - *at), &limits, line->tokens, &line->doc.count));
	*at = newline + 1;
	return true;
}

/* Follows the whole segment: header, chain, signed checkpoint of its last record. P7 */
static void check_segment(uint64_t from, uint64_t to)
{
	const char *at = file;
	struct line line;
	struct segment header = {0};
	struct checkpoint checkpoint = {0};
	struct record record = {0};
	unsigned char key[KEY_BYTES];

	ck_assert(next_line(&at, &line));
	ck_assert(segment_is_header(&line.doc, line.tokens));
	ck_ok(segment_read_header(&line.doc, line.tokens, &header));
	ck_assert_uint_eq(header.from_seq, from);
	ck_assert_str_eq(header.host, "test-host");
	ck_assert_mem_eq(header.vault, world.vault_id, sizeof(header.vault));

	struct chain chain = {.seq = from - 1};

	memcpy(chain.head, header.previous, sizeof(chain.head));
	for (uint64_t seq = from; seq <= to; seq++) {
		ck_assert(next_line(&at, &line));
		ck_ok(record_read(&line.doc, line.tokens, &record));
		ck_assert(chain_follow(&chain, &record));
	}
	ck_assert(next_line(&at, &line));
	ck_ok(segment_read_checkpoint(&line.doc, line.tokens, &checkpoint));
	ck_assert(checkpoint_is_signed(&checkpoint));
	keys_public(world.core->keys, key);
	ck_assert_mem_eq(checkpoint.key, key, sizeof(key));
	ck_assert_uint_eq(checkpoint.seq, to);
	ck_assert_mem_eq(checkpoint.hash, chain.head, sizeof(chain.head));
	ck_assert_int_eq(*at, '\0');
}

START_TEST(only_auditors_get_a_checkpoint_and_only_admins_archive)
{
	start();
	core_ask_refused("denied", &world, UID_OPERATOR, "audit.checkpoint", "{}");
	core_ask_refused("denied", &world, UID_STRANGER, "audit.checkpoint", "{}");
	core_ask_refused("denied", &world, UID_AUDITOR, "audit.archive", "{}");
	core_ask_refused("denied", &world, UID_OPERATOR, "audit.archive", "{}");
	core_ask_refused("denied", &world, UID_STRANGER, "audit.archive", "{}");
	ck_assert_uint_eq(read_folder(), 0);
	core_ask_ok(&world, UID_AUDITOR, "audit.checkpoint", "{}");
	core_ask_ok(&world, UID_ADMIN, "audit.checkpoint", "{}");
	end();
}
END_TEST

START_TEST(archive_refuses_what_says_no_time)
{
	start();
	core_ask_refused("bad_request", &world, UID_ADMIN, "audit.archive", "{}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "keep_days"));
	core_ask_refused("bad_value", &world, UID_ADMIN, "audit.archive", "{\"until\":\"yesterday\"}");
	world.rules.audit_keep_days = 30;
	core_ask_ok(&world, UID_ADMIN, "audit.archive", "{}");
	ck_assert_int_eq((int)cJSON_GetNumberValue(core_result(&world, "records")), 0);
	ck_assert_uint_eq(read_folder(), 0);
	end();
}
END_TEST

START_TEST(archive_refuses_a_directory_that_is_not_the_daemons_alone)
{
	char moved[80] = "";

	start();
	note(3);
	ck_assert_int_eq(chmod(folder, 0750), 0);
	ck_assert_str_eq(archive(core_clock_ms), "conflict");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "0700"));
	ck_assert_int_eq(chmod(folder, 0700), 0);
	snprintf(moved, sizeof(moved), "%s.moved", folder);
	ck_assert_int_eq(rename(folder, moved), 0);
	ck_assert_str_eq(archive(core_clock_ms), "not_found");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "archive_dir"));
	ck_assert_int_eq(symlink(moved, folder), 0);
	ck_assert_str_eq(archive(core_clock_ms), "conflict");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "symlink"));
	ck_assert_int_eq(unlink(folder), 0);
	ck_assert_int_eq(rename(moved, folder), 0);
	ck_assert_uint_eq(read_folder(), 0);
	ck_assert_uint_eq(state_now().audit_cut_seq, 0);
	world.core->archive_dir = NULL;
	ck_assert_str_eq(archive(core_clock_ms), "not_found");
	check_store();
	end();
}
END_TEST

START_TEST(archive_leaves_a_segment_of_another_history_alone)
{
	struct stat st = {0};

	start();
	note(3);
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(read_folder(), 1);
	end();
	start();
	note(3);

	/* As after the store was put back: the same numbers are archived again, and the name is taken. */
	char name[128] = "";

	snprintf(name, sizeof(name), "audit-%02x%02x%02x%02x-0000000001-0000000003.jsonl", world.vault_id[0],
		world.vault_id[1], world.vault_id[2], world.vault_id[3]);

	FILE *other = fopen(path_in_folder(name), "wxe");

	ck_assert_ptr_nonnull(other);
	fclose(other);
	ck_assert_str_eq(archive(core_clock_ms), "conflict");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "move it away"));
	ck_assert_int_eq(stat(path_in_folder(name), &st), 0);
	ck_assert_int_eq((int)st.st_size, 0);
	ck_assert_uint_eq(state_now().audit_cut_seq, 0);
	check_store();
	end();
}
END_TEST

/* P7: the store accepts a link that holds, and this record does not fit its own hash. */
START_TEST(archive_never_signs_records_that_were_tampered_with)
{
	struct record record = {.repeats = 1, .kind = "x", .outcome = "ok"};
	enum err err = ERR_TIMEOUT;

	start();
	note(2);
	record.seq = world.core->chain.seq + 1;
	record.time_ms = core_clock_ms;
	memcpy(record.previous, world.core->chain.head, sizeof(record.previous));
	record_seal(&record);
	record.uid = 5;
	ck_ok(store_begin(world.core->store));
	ck_ok(store_audit_append(world.core->store, &record));
	store_commit(world.core->store, core_on_own_commit, &err);
	ck_ok(err);
	world.core->chain.seq = record.seq;
	memcpy(world.core->chain.head, record.hash, sizeof(record.hash));
	ck_assert_str_eq(archive(core_clock_ms), "storage");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "cofferd check"));
	ck_assert_uint_eq(read_folder(), 0);
	ck_assert_uint_eq(state_now().audit_cut_seq, 0);
	end();
}
END_TEST

START_TEST(a_checkpoint_is_the_vaults_signed_word_about_the_record_before_its_own)
{
	struct checkpoint checkpoint = {0};
	const char *text = NULL;
	char again[CHECKPOINT_TEXT_BYTES] = "";

	start();
	note(4);

	struct chain before = world.core->chain;

	core_ask_ok(&world, UID_AUDITOR, "audit.checkpoint", "{}");
	text = core_result_text(&world, "checkpoint");
	ck_ok(checkpoint_read(text, strlen(text), &checkpoint));
	ck_assert(checkpoint_is_signed(&checkpoint));
	ck_assert_uint_eq(checkpoint.seq, before.seq);
	ck_assert_mem_eq(checkpoint.hash, before.head, sizeof(before.head));
	ck_assert_mem_eq(checkpoint.vault, world.vault_id, sizeof(checkpoint.vault));
	ck_assert_int_eq(checkpoint.time_ms, core_clock_ms);

	/* P4 */
	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "audit.checkpoint");
	ck_assert_ptr_nonnull(strstr(record.subject.text, core_result_text(&world, "fingerprint")));

	/* The key outlives the daemon. */
	snprintf(again, sizeof(again), "%s", core_result_text(&world, "public_key"));
	core_world_reopen(&world);
	core_ask_ok(&world, UID_AUDITOR, "audit.checkpoint", "{}");
	ck_assert_str_eq(core_result_text(&world, "public_key"), again);
	end();
}
END_TEST

START_TEST(an_archived_portion_is_a_whole_segment_and_gone_from_the_store)
{
	struct stat st = {0};

	start();
	note(10);
	core_clock_ms += DAY_MS;
	note(5);
	ck_assert_str_eq(archive(core_clock_ms - 1), "ok");
	ck_assert_int_eq((int)cJSON_GetNumberValue(core_result(&world, "records")), 10);
	ck_assert(cJSON_IsFalse(core_result(&world, "more")));
	ck_assert_uint_eq(read_folder(), 1);
	ck_assert_str_eq(core_result_text(&world, "file"), file_name);
	ck_assert_ptr_nonnull(strstr(file_name, "-0000000001-0000000010.jsonl"));
	ck_assert_int_eq(stat(path_in_folder(file_name), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	check_segment(1, 10);

	/* P4: that they are gone is a record, which names them. */
	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "audit.archive");
	ck_assert_ptr_nonnull(strstr(record.subject.text, "from=1 to=10 file=audit-"));
	ck_assert_uint_eq(core_records(&world), 6);
	check_store();
	core_world_reopen(&world);
	check_store();
	ck_assert_uint_eq(core_records(&world), 6);
	end();
}
END_TEST

START_TEST(a_list_begins_at_the_cut_and_tells_it)
{
	start();
	note(4);
	core_ask_ok(&world, UID_AUDITOR, "audit.list", "{}");
	ck_assert_int_eq(
		(int)cJSON_GetNumberValue(cJSON_GetObjectItem(core_result(&world, "cut"), "seq")), 0);
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	core_ask_ok(&world, UID_AUDITOR, "audit.list", "{\"after\":1}");

	const cJSON *first = cJSON_GetArrayItem(core_result(&world, "records"), 0);
	const cJSON *cut = core_result(&world, "cut");

	ck_assert_int_eq((int)cJSON_GetNumberValue(cJSON_GetObjectItem(first, "seq")), 5);
	ck_assert_int_eq((int)cJSON_GetNumberValue(cJSON_GetObjectItem(cut, "seq")), 4);
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(cut, "hash")),
		cJSON_GetStringValue(cJSON_GetObjectItem(first, "previous")));
	ck_assert_str_eq(core_result_text(&world, "host"), "test-host");
	end();
}
END_TEST

START_TEST(a_list_of_none_tells_the_ends_alone)
{
	start();
	note(4);
	core_ask_ok(&world, UID_AUDITOR, "audit.list", "{\"limit\":0,\"after\":2}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "records")), 0);
	ck_assert_int_eq((int)core_result(&world, "last")->valuedouble, 2);
	ck_assert_int_eq(
		(int)cJSON_GetNumberValue(cJSON_GetObjectItem(core_result(&world, "head"), "seq")), 4);
	end();
}
END_TEST

START_TEST(segments_follow_each_other)
{
	start();
	note(3);
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(read_folder(), 1);
	check_segment(1, 3);
	remove_files();
	note(3);
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(read_folder(), 1);
	check_segment(4, 7);
	check_store();
	end();
}
END_TEST

START_TEST(a_large_log_goes_by_portions)
{
	enum { PORTION = 4000 };

	start();
	world.skips_arena = true;
	note(PORTION + 50);
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert_int_eq((int)cJSON_GetNumberValue(core_result(&world, "records")), PORTION);
	ck_assert(cJSON_IsTrue(core_result(&world, "more")));
	ck_assert_uint_eq(read_folder(), 1);
	check_segment(1, PORTION);
	remove_files();
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert(cJSON_IsFalse(core_result(&world, "more")));
	ck_assert_int_eq((int)cJSON_GetNumberValue(core_result(&world, "records")), 51);
	check_store();
	end();
}
END_TEST

/* The clock was set back: only what stands before the first record that is to stay may leave. */
START_TEST(the_order_of_records_counts_and_not_their_times)
{
	start();
	note(2);
	core_clock_ms += DAY_MS;
	note(1);
	core_clock_ms -= DAY_MS;
	note(2);
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(state_now().audit_cut_seq, 2);
	check_store();
	end();
}
END_TEST

/* P5: records of a turn that may still be taken back are in no segment. */
START_TEST(what_is_not_durable_yet_stays)
{
	struct asking first, second, third;

	start();
	note(2);
	asking_start(&first, &world, UID_AUDITOR);
	asking_start(&second, &world, UID_ADMIN);
	asking_start(&third, &world, UID_ADMIN);
	asking_send(&first, "audit.checkpoint", "{}");
	asking_send(&second, "audit.archive", "{\"until\":\"%s\"}", time_text(core_clock_ms));
	asking_send(&third, "audit.archive", "{\"until\":\"%s\"}", time_text(core_clock_ms));
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&first), "ok");
	ck_assert_str_eq(asking_word(&second), "ok");
	ck_assert_str_eq(asking_word(&third), "busy");
	ck_assert_uint_eq(state_now().audit_cut_seq, 2);
	ck_assert_uint_eq(read_folder(), 1);
	check_segment(1, 2);
	check_store();
	asking_end(&first);
	asking_end(&second);
	asking_end(&third);
	end();
}
END_TEST

START_TEST(a_failed_commit_keeps_the_records_and_leaves_no_segment)
{
	start();
	note(6);
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_ne(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(read_folder(), 0);
	ck_assert_uint_eq(state_now().audit_cut_seq, 0);
	ck_assert_uint_eq(core_records(&world), 6);

	/* P4: without its record it does not happen. */
	core_faults.append = ERR_STORAGE_FULL;
	ck_assert_str_ne(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(read_folder(), 0);
	ck_assert_uint_eq(state_now().audit_cut_seq, 0);
	check_store();
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(read_folder(), 1);
	check_store();
	end();
}
END_TEST

/* P5: the answer to the commit never came, as when the daemon is killed behind it. */
START_TEST(a_kill_behind_the_commit_leaves_a_whole_segment)
{
	struct asking asking;

	start();
	note(5);
	asking_start(&asking, &world, UID_ADMIN);
	core_faults.holds_commit = true;
	asking_send(&asking, "audit.archive", "{\"until\":\"%s\"}", time_text(core_clock_ms));
	turn_end(core_turn(world.core));
	ck_assert_uint_eq(asking.place, 0);
	ck_assert_uint_eq(read_folder(), 1);
	ck_assert_ptr_nonnull(strstr(file_name, ".part"));
	core_faults.holds_commit = false;
	core_answer_commit();
	core_world_reopen(&world);
	ck_assert_uint_eq(read_folder(), 1);
	ck_assert_ptr_null(strstr(file_name, ".part"));
	check_segment(1, 5);
	check_store();
	asking_end(&asking);
	end();
}
END_TEST

START_TEST(what_a_kill_left_behind_is_told_apart_at_the_next_start)
{
	char whole[512] = "", part[600] = "", half[600] = "", foreign[600] = "";

	start();
	note(5);
	ck_assert_str_eq(archive(core_clock_ms), "ok");
	ck_assert_uint_eq(read_folder(), 1);
	snprintf(whole, sizeof(whole), "%s", path_in_folder(file_name));
	snprintf(part, sizeof(part), "%s.part", whole);
	ck_assert_int_eq(rename(whole, part), 0);

	/* Of a try whose records have stayed, and of another vault. */
	snprintf(half, sizeof(half), "%s/%.14s-0000000006-0000000009.jsonl.part", folder, file_name);
	snprintf(foreign, sizeof(foreign), "%s/audit-zzzzzzzz-0000000006-0000000009.jsonl.part", folder);
	close(open(half, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
	close(open(foreign, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
	core_world_reopen(&world);
	ck_assert_int_eq(access(whole, F_OK), 0);
	ck_assert_int_ne(access(part, F_OK), 0);
	ck_assert_int_ne(access(half, F_OK), 0);
	ck_assert_int_eq(access(foreign, F_OK), 0);
	end();
}
END_TEST

START_TEST(nothing_leaves_by_itself_unless_the_configuration_says_so)
{
	start();
	note(20);
	core_clock_ms += (int64_t)4000 * DAY_MS;
	core_tick(world.core, false);
	ck_assert_uint_eq(read_folder(), 0);
	ck_assert_uint_eq(state_now().audit_cut_seq, 0);
	end();
}
END_TEST

START_TEST(what_is_older_than_keep_days_leaves_once_a_day)
{
	start();
	world.rules.audit_keep_days = 30;
	core_clock_ms = (int64_t)20000 * DAY_MS + 1000;
	note(4);
	core_clock_ms += DAY_MS;
	note(4);
	core_clock_ms += (int64_t)29 * DAY_MS;
	core_tick(world.core, false);
	ck_assert_uint_eq(read_folder(), 0);
	core_clock_ms += DAY_MS;
	core_tick(world.core, false);
	ck_assert_uint_eq(read_folder(), 1);
	check_segment(1, 4);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "audit.archive");
	ck_assert_str_eq(record.detail, "older than [audit] keep_days");
	ck_assert_uint_eq(record.uid, geteuid());
	for (int hour = 0; hour < 20; hour++) {
		core_clock_ms += 3600000;
		core_tick(world.core, false);
	}
	ck_assert_uint_eq(read_folder(), 1);
	check_store();
	end();
}
END_TEST

START_TEST(a_log_over_max_mib_shrinks_below_it)
{
	struct archives_state state = {0};

	start();
	world.skips_arena = true;
	note(6300); /* about 175 bytes each */
	world.rules.audit_max_mib = 1;
	archives_look(world.core, &state);
	ck_assert_uint_gt(state.bytes, state.limit_bytes);
	core_clock_ms += 61000;
	core_tick(world.core, false);
	archives_look(world.core, &state);
	ck_assert_uint_le(state.bytes, state.limit_bytes / 10 * 9 + 1024);
	ck_assert_uint_gt(state.bytes, state.limit_bytes / 10 * 8);
	ck_assert_uint_eq(read_folder(), 1);
	ck_assert_str_eq(core_record(&world, 0).detail, "more than [audit] max_mib");
	check_store();
	end();
}
END_TEST

START_TEST(what_cannot_be_archived_stays_and_is_told_until_it_can)
{
	start();
	world.rules.audit_keep_days = 1;
	note(4);
	core_clock_ms += (int64_t)3 * DAY_MS;
	ck_assert_int_eq(chmod(folder, 0755), 0);
	core_tick(world.core, false);
	ck_assert_uint_eq(state_now().audit_cut_seq, 0);
	core_ask_ok(&world, UID_AUDITOR, "status", "{}");
	ck_assert_ptr_nonnull(strstr(
		cJSON_GetStringValue(cJSON_GetObjectItem(core_result(&world, "audit"), "trouble")), "0700"));
	ck_assert_int_eq(chmod(folder, 0700), 0);
	core_clock_ms += 61000;
	core_tick(world.core, false);
	ck_assert_uint_eq(state_now().audit_cut_seq, 4);
	core_ask_ok(&world, UID_AUDITOR, "status", "{}");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(core_result(&world, "audit"), "trouble")));
	check_store();
	end();
}
END_TEST

UNIT_MAIN("core_audit", only_auditors_get_a_checkpoint_and_only_admins_archive,
	archive_refuses_what_says_no_time, archive_refuses_a_directory_that_is_not_the_daemons_alone,
	archive_leaves_a_segment_of_another_history_alone,
	archive_never_signs_records_that_were_tampered_with,
	a_checkpoint_is_the_vaults_signed_word_about_the_record_before_its_own,
	an_archived_portion_is_a_whole_segment_and_gone_from_the_store, a_list_begins_at_the_cut_and_tells_it,
	a_list_of_none_tells_the_ends_alone, segments_follow_each_other, a_large_log_goes_by_portions,
	the_order_of_records_counts_and_not_their_times, what_is_not_durable_yet_stays,
	a_failed_commit_keeps_the_records_and_leaves_no_segment,
	a_kill_behind_the_commit_leaves_a_whole_segment,
	what_a_kill_left_behind_is_told_apart_at_the_next_start,
	nothing_leaves_by_itself_unless_the_configuration_says_so,
	what_is_older_than_keep_days_leaves_once_a_day, a_log_over_max_mib_shrinks_below_it,
	what_cannot_be_archived_stays_and_is_told_until_it_can)
