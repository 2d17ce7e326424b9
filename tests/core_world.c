#include "core_world.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "process.h"

/* ---- the time: these two take the place of the daemon's ---- */

int64_t core_clock_ms;
const char *core_archive_dir;

int64_t clock_wall_ms(void)
{
	return core_clock_ms;
}

int64_t clock_monotonic_ms(void)
{
	return core_clock_ms;
}

/* ---- the store's answers: the linker sends the core's calls here (--wrap) ---- */

struct core_faults core_faults;

static struct {
	store_durable_fn *done;
	void *arg;
	enum err err;
} held;

static enum err take_fault(enum err *fault)
{
	enum err err = *fault;

	*fault = OK;
	return err;
}

enum err __real_store_begin(struct store *store);
enum err __wrap_store_begin(struct store *store);
enum err __wrap_store_begin(struct store *store)
{
	return core_faults.begin != OK ? core_faults.begin : __real_store_begin(store);
}

enum err __real_store_audit_append(struct store *store, const struct record *record);
enum err __wrap_store_audit_append(struct store *store, const struct record *record);
enum err __wrap_store_audit_append(struct store *store, const struct record *record)
{
	enum err err = take_fault(&core_faults.append);

	return err != OK ? err : __real_store_audit_append(store, record);
}

enum err __real_store_version_insert(struct store *store, const struct store_version *version);
enum err __wrap_store_version_insert(struct store *store, const struct store_version *version);
enum err __wrap_store_version_insert(struct store *store, const struct store_version *version)
{
	enum err err = take_fault(&core_faults.insert);

	if (err == OK)
		return __real_store_version_insert(store, version);
	store_abort(store);
	return err;
}

static void on_held(void *arg, enum err err)
{
	(void)arg;
	held.err = err;
}

void __real_store_commit(struct store *store, store_durable_fn *done, void *arg);
void __wrap_store_commit(struct store *store, store_durable_fn *done, void *arg);
void __wrap_store_commit(struct store *store, store_durable_fn *done, void *arg)
{
	enum err err = take_fault(&core_faults.commit);

	core_faults.commits++;
	if (err != OK) {
		store_abort(store);
		done(arg, err);
	} else if (core_faults.holds_commit) {
		held.done = done;
		held.arg = arg;
		__real_store_commit(store, on_held, NULL);
	} else {
		__real_store_commit(store, done, arg);
	}
}

void core_answer_commit(void)
{
	core_faults.holds_commit = false;
	held.done(held.arg, held.err);
}

enum err __real_store_checkpoint(struct store *store);
enum err __wrap_store_checkpoint(struct store *store);
enum err __wrap_store_checkpoint(struct store *store)
{
	enum err err = take_fault(&core_faults.checkpoint);

	core_faults.checkpoints++;
	return err != OK ? err : __real_store_checkpoint(store);
}

enum err __real_store_use_of(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], store_use_fn *fn, void *arg);
enum err __wrap_store_use_of(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], store_use_fn *fn, void *arg);
enum err __wrap_store_use_of(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], store_use_fn *fn, void *arg)
{
	core_faults.use_readings++;
	return __real_store_use_of(store, integration_id, fn, arg);
}

void __real_scrub_registers_and_stack(void);
void __wrap_scrub_registers_and_stack(void);

void __wrap_scrub_registers_and_stack(void)
{
	core_faults.scrubs++;
	__real_scrub_registers_and_stack();
}

bool __real_process_end_status(int pidfd, int *status_out, bool *is_later_out);
bool __wrap_process_end_status(int pidfd, int *status_out, bool *is_later_out);
bool __wrap_process_end_status(int pidfd, int *status_out, bool *is_later_out)
{
	bool is_hidden = core_faults.hides_status || core_faults.loses_status;

	*is_later_out = core_faults.loses_status;
	return !is_hidden && __real_process_end_status(pidfd, status_out, is_later_out);
}

/* ---- people and the host ---- */

struct core_person core_people[CORE_PEOPLE];

enum account __wrap_users_account(uid_t uid);
enum account __wrap_users_account(uid_t uid)
{
	for (size_t i = 0; i < CORE_PEOPLE; i++)
		if (core_people[i].uid == uid)
			return core_people[i].account;
	return ACCOUNT_FINE;
}

/* Weak: a test may have groups of its own. */
enum err __wrap_users_groups(uid_t uid, gid_t **groups_out, size_t *count_out);
__attribute__((weak)) enum err __wrap_users_groups(uid_t uid, gid_t **groups_out, size_t *count_out)
{
	*groups_out = calloc(CORE_PEOPLE, sizeof(**groups_out));
	*count_out = 0;
	ck_assert_ptr_nonnull(*groups_out);
	for (size_t i = 0; i < CORE_PEOPLE; i++)
		if (core_people[i].uid == uid)
			(*groups_out)[(*count_out)++] = core_people[i].group;
	return OK;
}

enum err __wrap_users_members(gid_t gid, uid_t *out, size_t cap, size_t *count_out);
enum err __wrap_users_members(gid_t gid, uid_t *out, size_t cap, size_t *count_out)
{
	*count_out = 0;
	for (size_t i = 0; i < CORE_PEOPLE; i++)
		if (core_people[i].uid != 0 && core_people[i].group == gid && *count_out < cap)
			out[(*count_out)++] = core_people[i].uid;
	return OK;
}

enum err __wrap_space_free_percent(const char *dir, unsigned *percent_out);
enum err __wrap_space_free_percent(const char *dir, unsigned *percent_out)
{
	(void)dir;
	*percent_out = 100 - core_faults.full_percent;
	return OK;
}

bool __wrap_locked_is_swappable(void);
bool __wrap_locked_is_swappable(void)
{
	return core_faults.may_swap;
}

/* ---- the vault ---- */

static uid_t admins[] = {UID_ADMIN}, operators[] = {UID_OPERATOR}, auditors[] = {UID_AUDITOR};

static void set_defaults(struct core_world *world)
{
#define LIMIT(name, value, least, most, text) .name = value,
	static const struct config_limits defaults = {
#include "limits.def"
	};
#undef LIMIT

	*world = (struct core_world){.dir = "/tmp/coffer-core-XXXXXX",
		.limits = defaults,
		.rules = {.approval_days = 7, .rotate_soon_days = 30, .unused_days = 90, .staged_days = 7}};
	world->roles.admin = (struct role_members){.uids = admins, .uid_count = 1};
	world->roles.operator=(struct role_members){.uids = operators, .uid_count = 1};
	world->roles.auditor = (struct role_members){.uids = auditors, .uid_count = 1};
	core_faults = (struct core_faults){0};
	memset(core_people, 0, sizeof(core_people));
	core_clock_ms = 1800000000000;
	log_set_level((enum log_level)0);
	ck_ok(crypto_start());
}

static void on_durable(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

static void commit_own(struct store *store)
{
	enum err err = ERR_TIMEOUT;

	__real_store_commit(store, on_durable, &err);
	ck_ok(err);
}

static struct keys *make_keys(struct core_world *world)
{
	struct keys *keys = NULL;

	random_bytes(world->vault_id, sizeof(world->vault_id));
	ck_ok(root_key_generate(&world->root));
	ck_ok(keys_generate(world->vault_id, &keys));
	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++)
		ck_ok(keys_wrap(keys, purpose, world->root, world->wrapped[purpose]));
	return keys;
}

static struct keys *open_keys(const struct core_world *world)
{
	struct keys *keys = NULL;

	ck_ok(keys_new(world->vault_id, &keys));
	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++)
		ck_ok(keys_unwrap(keys, key_purpose_word(purpose), 1, world->root, world->wrapped[purpose],
			WRAPPED_KEY_BYTES));
	return keys;
}

static struct store *make_store(const struct core_world *world)
{
	struct store *store = NULL;
	struct store_state state = {.created_ms = core_clock_ms};
	const char *reason = "";
	enum err err = store_create(world->dir, &store, &reason);

	ck_assert_msg(err == OK, "%s: %s", err_word(err), reason);
	memcpy(state.vault_id, world->vault_id, sizeof(state.vault_id));
	root_key_id(world->root, state.rkid);
	ck_ok(__real_store_begin(store));
	ck_ok(store_state_init(store, &state));
	commit_own(store);
	return store;
}

static void make_core(struct core_world *world, struct store *store, struct keys *keys)
{
	struct core_options options = {.limits = &world->limits,
		.rules = &world->rules,
		.roles = &world->roles,
		.state_dir = world->dir,
		.store = store,
		.keys = keys,
		.seal = {"run cofferd recover as root", "the root key is missing"},
		.may_swap = true,
		.archive_dir = core_archive_dir,
		.host = "test host"};

	ck_ok(core_new(&options, &world->core));
}

void core_world_start(struct core_world *world)
{
	set_defaults(world);
	ck_assert_ptr_nonnull(mkdtemp(world->dir));

	struct keys *keys = make_keys(world);

	make_core(world, make_store(world), keys);
}

void core_world_start_sealed(struct core_world *world)
{
	set_defaults(world);
	ck_assert_ptr_nonnull(mkdtemp(world->dir));
	make_core(world, NULL, NULL);
}

void core_world_reopen(struct core_world *world)
{
	struct store *store = NULL;
	const char *reason = "";

	core_free(world->core);

	enum err err = store_open(world->dir, &store, &reason);

	ck_assert_msg(err == OK, "%s: %s", err_word(err), reason);
	make_core(world, store, open_keys(world));
}

void core_world_reopen_sealed(struct core_world *world)
{
	core_free(world->core);
	make_core(world, NULL, NULL);
}

enum err core_world_unseal(struct core_world *world)
{
	struct keys *keys = open_keys(world);
	struct store *store = NULL;
	const char *reason = "";
	enum err err = store_open(world->dir, &store, &reason);

	ck_assert_msg(err == OK, "%s: %s", err_word(err), reason);
	err = core_unseal(world->core, store, keys);
	if (err != OK) {
		keys_free(keys);
		store_close(store);
	}
	return err;
}

static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	ck_assert_int_eq(rmdir(path), 0);
}

static void drop_last(struct core_world *world)
{
	cJSON_Delete(world->last);
	free(world->last_text);
	world->last = NULL;
	world->last_text = NULL;
}

void core_world_end(struct core_world *world)
{
	drop_last(world);
	core_free(world->core);
	root_key_free(world->root);
	remove_dir(world->dir);
}

static bool is_zero(const void *bytes, size_t len)
{
	const char *first = bytes;

	return len == 0 || (first[0] == 0 && memcmp(first, first + 1, len - 1) == 0);
}

bool core_is_wiped(const struct core_world *world)
{
	const struct arena *arena = &world->core->arena;

	return arena->used == 0 && is_zero(arena->memory.bytes, arena->memory.len);
}

/* ---- one exchange ---- */

static void on_delivered(struct exchange *exchange)
{
	struct asking *asking = (struct asking *)(void *)exchange;
	const struct reply *reply = &exchange->reply;

	ck_assert_uint_eq(asking->place, 0);
	asking->place = ++asking->world->delivered;
	asking->commits_before = core_faults.commits;
	asking->is_secret = reply->is_secret;
	asking->must_close = reply->must_close;
	ck_assert_ptr_nonnull(reply->bytes);
	ck_assert_uint_gt(reply->len, 0);
	ck_assert_ptr_eq(memchr(reply->bytes, '\n', reply->len), reply->bytes + reply->len - 1);
	asking->text = strndup(reply->bytes, reply->len - 1);
	asking->json = cJSON_Parse(asking->text);
	ck_assert_msg(asking->json != NULL, "not JSON: %s", asking->text);
	if (!asking->keeps_reply)
		reply_clear(asking->world->core, &exchange->reply);
}

void asking_start(struct asking *asking, struct core_world *world, uint32_t uid)
{
	*asking = (struct asking){.world = world,
		.exchange.deliver = on_delivered,
		.who = {.uid = uid, .gid = uid, .pid = getpid(), .pidfd = -1, .unit_reason = "made by hand"}};
}

void asking_be(struct asking *asking, const struct puppet *puppet)
{
	asking->who.pid = puppet->pid;
	asking->who.pidfd = puppet->pidfd;
	asking->who.is_pid_proven = true;
}

void asking_send_line(struct asking *asking, const char *text)
{
	size_t len = strlen(text);
	char *line = strdup(text);

	ck_assert_ptr_nonnull(line);
	asking->exchange.principal = &asking->who;
	turn_handle(core_turn(asking->world->core), &asking->exchange, line, len);
	ck_assert_msg(is_zero(line, len), "P1: the line is not wiped");
	free(line);
	if (!asking->world->skips_arena)
		ck_assert_msg(core_is_wiped(asking->world), "P1: the arena is not wiped");
}

__attribute__((format(printf, 3, 0))) static void send_params(
	struct asking *asking, const char *method, const char *format, va_list args)
{
	char *params = NULL, *line = NULL;

	ck_assert_int_ge(vasprintf(&params, format, args), 0);
	ck_assert_int_ge(asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}",
				 method, params),
		0);
	asking_send_line(asking, line);
	free(params);
	free(line);
}

void asking_send(struct asking *asking, const char *method, const char *params, ...)
{
	va_list args;

	va_start(args, params);
	send_params(asking, method, params, args);
	va_end(args);
}

static const char *word_of(const cJSON *json)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");

	if (error == NULL)
		return cJSON_HasObjectItem(json, "result") ? "ok" : "neither";
	return cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(error, "data"), "error"));
}

const char *asking_word(const struct asking *asking)
{
	ck_assert_msg(asking->place > 0, "no reply yet");
	return word_of(asking->json);
}

void asking_end(struct asking *asking)
{
	reply_clear(asking->world->core, &asking->exchange.reply);
	cJSON_Delete(asking->json);
	free(asking->text);
	asking->json = NULL;
	asking->text = NULL;
}

/* ---- one request, one turn ---- */

/* Ends the turn and takes over the reply. */
static const char *finish(struct asking *asking)
{
	struct core_world *world = asking->world;

	turn_end(core_turn(world->core));
	ck_assert_uint_gt(asking->place, 0);
	drop_last(world);
	world->last = asking->json;
	world->last_text = asking->text;
	return word_of(world->last);
}

const char *core_ask_line(struct core_world *world, uint32_t uid, const char *line)
{
	struct asking asking = {0};

	asking_start(&asking, world, uid);
	asking_send_line(&asking, line);
	return finish(&asking);
}

const char *core_ask(struct core_world *world, uint32_t uid, const char *method, const char *params, ...)
{
	struct asking asking = {0};
	va_list args;

	asking_start(&asking, world, uid);
	va_start(args, params);
	send_params(&asking, method, params, args);
	va_end(args);
	return finish(&asking);
}

const char *core_ask_approved(
	struct core_world *world, uint32_t uid, const char *method, const char *params, ...)
{
	struct asking asking = {0};
	va_list args;

	asking_start(&asking, world, uid);
	va_start(args, params);
	send_params(&asking, method, params, args);
	va_end(args);

	const char *word = finish(&asking);

	if (strcmp(word, "approval_required") != 0)
		return word;
	return core_ask(world, uid == 0 ? UID_ADMIN : 0, "request.approve", "{\"id\":%d}",
		core_error_data(world, "request")->valueint);
}

const char *core_ask_as(struct core_world *world, uint32_t uid, const struct puppet *puppet,
	const char *method, const char *params, ...)
{
	struct asking asking = {0};
	va_list args;

	asking_start(&asking, world, uid);
	asking_be(&asking, puppet);
	va_start(args, params);
	send_params(&asking, method, params, args);
	va_end(args);
	return finish(&asking);
}

const cJSON *core_result(const struct core_world *world, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(world->last, "result"), name);
}

const char *core_result_text(const struct core_world *world, const char *name)
{
	return cJSON_GetStringValue(core_result(world, name));
}

static const cJSON *error_part(const struct core_world *world, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(world->last, "error"), name);
}

const char *core_message(const struct core_world *world)
{
	return cJSON_GetStringValue(error_part(world, "message"));
}

const cJSON *core_error_data(const struct core_world *world, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(error_part(world, "data"), name);
}

int core_retry_ms(const struct core_world *world)
{
	const cJSON *retry = core_error_data(world, "retry_after_ms");

	return retry != NULL ? retry->valueint : 0;
}

/* ---- what most tests have in the vault ---- */

void core_add_integration(struct core_world *world, const char *name)
{
	core_ask_ok(world, UID_ADMIN, "integration.add",
		"{\"name\":\"%s\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}",
		name);
}

void core_grant(struct core_world *world, const char *integration, uint32_t uid)
{
	/* Nobody grants anything to themselves alone. */
	core_ask_ok(world, uid == UID_ADMIN ? 0 : UID_ADMIN, "grant.add",
		"{\"integration\":\"%s\",\"rule\":{\"user\":\"%u\"}}", integration, uid);
}

void core_put(struct core_world *world, const char *integration, const char *key, const char *value)
{
	core_ask_ok(world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"%s\",\"key\":\"%s\",\"value\":\"%s\"}", integration, key, value);
}

void core_stage(struct core_world *world, const char *integration, const char *key, const char *value)
{
	core_ask_ok(world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"%s\",\"key\":\"%s\",\"value\":\"%s\",\"stage\":true}", integration, key,
		value);
}

const char *core_states(struct core_world *world, const char *integration, const char *key)
{
	static char text[512];
	const cJSON *versions = NULL;

	core_ask_ok(world, UID_AUDITOR, "secret.show", "{\"integration\":\"%s\",\"key\":\"%s\"}", integration,
		key);
	versions = core_result(world, "versions");
	text[0] = '\0';
	for (int i = cJSON_GetArraySize(versions) - 1; i >= 0; i--) {
		const cJSON *version = cJSON_GetArrayItem(versions, i);
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%d:%s", len > 0 ? " " : "",
			cJSON_GetObjectItem(version, "version")->valueint,
			cJSON_GetStringValue(cJSON_GetObjectItem(version, "state")));
	}
	return text;
}

struct store_counts core_counts(const struct core_world *world)
{
	struct store_counts counts = {0};

	ck_ok(store_counts(world->core->store, &counts));
	return counts;
}

uint64_t core_records(const struct core_world *world)
{
	return core_counts(world).audit_records;
}

static enum err on_record(void *arg, const struct record *record)
{
	static char subject[RECORD_SUBJECT_BYTES_MAX + 1];
	struct record *out = arg;

	*out = *record;
	if (record->subject.len > 0)
		memcpy(subject, record->subject.text, record->subject.len);
	subject[record->subject.len] = '\0';
	out->subject.text = subject;
	return OK;
}

struct record core_record(const struct core_world *world, uint64_t seq)
{
	struct store_audit_filter filter = {
		.after = seq != 0 ? seq - 1 : world->core->chain.seq - 1, .limit = 1};
	struct record record = {0};

	ck_ok(store_audit_each(world->core->store, &filter, on_record, &record));
	ck_assert_uint_ne(record.seq, 0);
	return record;
}

static enum err on_followed(void *arg, const struct record *record)
{
	return chain_follow(arg, record) ? OK : ERR_STORAGE;
}

void core_check_chain(const struct core_world *world)
{
	struct store_audit_filter filter = {.limit = UINT32_MAX};
	struct store_state state = {0};
	struct chain chain = {0};

	ck_ok(store_state_get(world->core->store, &state));
	chain.seq = state.audit_cut_seq;
	memcpy(chain.head, state.audit_cut_hash, sizeof(chain.head));
	ck_ok(store_audit_each(world->core->store, &filter, on_followed, &chain));
	ck_assert_uint_eq(chain.seq, world->core->chain.seq);
	ck_assert_mem_eq(chain.head, world->core->chain.head, sizeof(chain.head));
}

struct state_change {
	struct store *store;
	const char *state;
};

/* Read and written in one go: the texts live until this returns. */
static enum err on_changed(void *arg, const struct store_integration *integration)
{
	const struct state_change *change = arg;
	struct store_integration changed = *integration;

	changed.state = change->state;
	return store_integration_update(change->store, &changed);
}

void core_set_state(struct core_world *world, const char *integration, const char *state)
{
	struct state_change change = {world->core->store, state};

	ck_ok(__real_store_begin(change.store));
	ck_ok(store_integration_get(change.store, integration, on_changed, &change));
	commit_own(change.store);
}
