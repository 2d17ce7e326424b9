/*
 * The slow check: every page, every index, every reference and every row, read as the rest of the room
 * reads them (P7).  What needs keys (whether a value opens, whether the chain holds) is done above.
 */
#include "sqlite.h"

#include <string.h>

static enum err check_integrity(struct store *store)
{
	char answer[SQL_ANSWER_BYTES] = "";
	int rc = sql_answer(store->db, "PRAGMA integrity_check(1)", answer);

	return rc == SQLITE_OK && strcmp(answer, "ok") == 0 ? OK : ERR_STORAGE;
}

/* One row for each reference that leads nowhere. */
static enum err check_references(struct store *store)
{
	char answer[SQL_ANSWER_BYTES] = "";
	int rc = sql_answer(store->db, "PRAGMA foreign_key_check", answer);

	return rc == SQLITE_OK && answer[0] == '\0' ? OK : ERR_STORAGE;
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	(void)arg;
	(void)integration;
	return OK;
}

static enum err check_integrations(struct store *store)
{
	struct store_integration_filter all = {0};

	return store_integration_each(store, &all, on_integration, NULL);
}

static enum err on_version(void *arg, const struct store_version *version)
{
	(void)arg;
	(void)version;
	return OK;
}

static enum err check_versions(struct store *store)
{
	return store_version_each(store, on_version, NULL);
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	const struct store *store = arg;

	return grant->id <= store->now.grants_made ? OK : ERR_STORAGE;
}

static enum err check_grants(struct store *store)
{
	return store_grant_each(store, on_grant, store);
}

static enum err on_credential(void *arg, const struct store_credential *credential)
{
	(void)arg;
	(void)credential;
	return OK;
}

static enum err check_credentials(struct store *store)
{
	return store_credential_each(store, on_credential, NULL);
}

static enum err on_delivery(void *arg, const struct store_delivery *delivery)
{
	(void)arg;
	(void)delivery;
	return OK;
}

static enum err check_deliveries(struct store *store)
{
	return store_delivery_each(store, on_delivery, NULL);
}

static enum err on_token(void *arg, const struct store_token *token)
{
	const struct store *store = arg;

	return token->id <= store->now.tokens_made ? OK : ERR_STORAGE;
}

static enum err check_tokens(struct store *store)
{
	return store_token_each(store, on_token, store);
}

static enum err on_manager(void *arg, const struct store_manager *manager)
{
	(void)arg;
	(void)manager;
	return OK;
}

static enum err check_managers(struct store *store)
{
	return store_manager_each(store, on_manager, NULL);
}

static enum err on_test(void *arg, const struct store_test *test)
{
	(void)arg;
	(void)test;
	return OK;
}

static enum err check_tests(struct store *store)
{
	return store_test_each(store, on_test, NULL);
}

static enum err on_change(void *arg, const struct store_change *change)
{
	(void)arg;
	(void)change;
	return OK;
}

static enum err check_changes(struct store *store)
{
	return store_change_each(store, on_change, NULL);
}

static enum err on_run(void *arg, const struct store_run *run)
{
	const struct store *store = arg;

	return run->no <= store->now.runs_made ? OK : ERR_STORAGE;
}

static enum err check_runs(struct store *store)
{
	return store_run_each(store, on_run, store);
}

static enum err on_unit_holder(void *arg, const struct store_unit_holder *holder)
{
	(void)arg;
	(void)holder;
	return OK;
}

static enum err check_unit_holders(struct store *store)
{
	return store_unit_holder_each(store, on_unit_holder, NULL);
}

static enum err on_ack(void *arg, const struct store_alert_ack *ack)
{
	(void)arg;
	(void)ack;
	return OK;
}

static enum err check_acks(struct store *store)
{
	return store_alert_ack_each(store, on_ack, NULL);
}

static enum err on_approval(void *arg, const struct store_approval *approval)
{
	const struct store *store = arg;

	return approval->id <= store->now.approvals_made ? OK : ERR_STORAGE;
}

static enum err check_approvals(struct store *store)
{
	struct store_approval_filter all = {0};

	return store_approval_each(store, &all, on_approval, store);
}

struct log_check {
	uint64_t last;
	uint64_t bytes;
};

static enum err on_record(void *arg, const struct record *record)
{
	struct log_check *log = arg;

	if (record->seq != log->last + 1)
		return ERR_STORAGE;
	log->last = record->seq;
	log->bytes += store_audit_record_bytes(record);
	return OK;
}

/* Numbers without gaps from the cut on, and the newest is the one that the state row names. */
static enum err check_audit(struct store *store)
{
	const struct store_state *state = &store->now.state;
	struct store_audit_filter all = {0};
	struct log_check log = {.last = state->audit_cut_seq};
	enum err err = store_audit_each(store, &all, on_record, &log);

	return err == OK && (log.last != state->audit_seq || log.bytes != state->audit_bytes) ? ERR_STORAGE
											      : err;
}

enum err store_check(struct store *store, const char **reason_out)
{
	static const struct {
		enum err (*check)(struct store *store);
		const char *reason;
	} steps[] = {
		{check_integrity, "a page or a row of the store is damaged"},
		{check_references, "a row of the store belongs to nothing"},
		{check_integrations, "an integration's row is damaged"},
		{check_grants, "a grant's row is damaged"},
		{check_credentials, "the row of a unit's credential is damaged"},
		{check_deliveries, "the row of a delivery is damaged"},
		{check_managers, "a manager's row is damaged"},
		{check_tokens, "a token's row is damaged"},
		{check_versions, "a version's row is damaged"},
		{check_tests, "the row of a test is damaged"},
		{check_changes, "the row of a change is damaged"},
		{check_runs, "a run's row is damaged"},
		{check_unit_holders, "a row of holders is damaged"},
		{check_acks, "the row of an acknowledged alert is damaged"},
		{store_days_check, "a row of use is damaged"},
		{check_approvals, "the row of a request for approval is damaged"},
		{check_audit, "audit records are missing or damaged"},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		enum err err = steps[i].check(store);

		if (err != OK) {
			*reason_out = steps[i].reason;
			return err;
		}
	}
	return OK;
}
