/*
 * cofferd check: reads a stopped vault from end to end.  Every page, every audit record's link, every
 * sealed value in its place (P6, P7).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "envelope.h"
#include "locked.h"
#include "log.h"
#include "site.h"
#include "setup.h"

/* An integration's data key as it is stored; its versions follow each other, so one is open at a time. */
struct wrapped_dek {
	struct dek_context context;
	unsigned char wrapped[WRAPPED_KEY_BYTES];
	size_t len;
};

struct checking {
	struct store *store;
	struct keys *keys;
	struct chain chain;
	uint64_t archived; /* up to this number records were cut off; the chain begins behind it */
	struct arena arena;
	struct wrapped_dek *deks;
	size_t dek_count;
	const struct wrapped_dek *opened; /* whose key dek is */
	struct dek *dek;
	uint64_t values;
	uint64_t damaged;
};

static enum err on_record(void *arg, const struct record *record)
{
	struct checking *checking = arg;

	if (chain_follow(&checking->chain, record))
		return OK;
	log_error("audit record %llu does not follow the one before it", (unsigned long long)record->seq);
	checking->damaged++;
	return ERR_STORAGE;
}

static enum err check_audit(struct checking *checking)
{
	struct store_audit_filter filter = {.limit = UINT64_MAX / 2};
	struct store_state state = {0};
	enum err err = store_state_get(checking->store, &state);

	/* What was archived is verified with its segments; here the chain begins where they end. */
	checking->archived = state.audit_cut_seq;
	checking->chain.seq = state.audit_cut_seq;
	memcpy(checking->chain.head, state.audit_cut_hash, sizeof(checking->chain.head));
	if (err == OK)
		err = store_audit_each(checking->store, &filter, on_record, checking);
	if (err == OK &&
		(checking->chain.seq != state.audit_seq ||
			!bytes_equal(checking->chain.head, state.audit_head, sizeof(state.audit_head)))) {
		log_error("the audit log ends at record %llu, the vault's state says %llu",
			(unsigned long long)checking->chain.seq, (unsigned long long)state.audit_seq);
		checking->damaged++;
		err = ERR_STORAGE;
	}
	return err;
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	struct checking *checking = arg;
	struct wrapped_dek *grown = reallocarray(checking->deks, checking->dek_count + 1, sizeof(*grown));
	struct dek *dek = NULL;

	if (grown == NULL)
		return ERR_INTERNAL;
	checking->deks = grown;

	struct wrapped_dek *stored = &grown[checking->dek_count++];

	*stored = (struct wrapped_dek){
		.context.generation = integration->dek_generation, .len = integration->dek.len};
	memcpy(stored->context.integration_id, integration->id, sizeof(stored->context.integration_id));
	if (integration->dek.len <= sizeof(stored->wrapped))
		memcpy(stored->wrapped, integration->dek.bytes, integration->dek.len);
	if (dek_open(checking->keys, &stored->context, stored->wrapped, stored->len, &dek) != OK) {
		log_error("the data key of %s does not open", integration->name);
		checking->damaged++;
	}
	dek_close(dek);
	return OK;
}

/* The data key of an integration; NULL when there is none that opens. */
static const struct dek *find_dek(struct checking *checking, const unsigned char id[STORE_ID_BYTES])
{
	if (checking->opened != NULL &&
		memcmp(checking->opened->context.integration_id, id, STORE_ID_BYTES) == 0)
		return checking->dek;
	dek_close(checking->dek);
	checking->dek = NULL;
	checking->opened = NULL;
	for (size_t i = 0; i < checking->dek_count; i++) {
		const struct wrapped_dek *stored = &checking->deks[i];

		if (memcmp(stored->context.integration_id, id, STORE_ID_BYTES) != 0)
			continue;
		checking->opened = stored;
		if (dek_open(checking->keys, &stored->context, stored->wrapped, stored->len,
			    &checking->dek) != OK)
			return NULL;
		return checking->dek;
	}
	return NULL;
}

static enum err on_version(void *arg, const struct store_version *version)
{
	struct checking *checking = arg;
	const struct dek *dek = NULL;
	struct value_context context = {
		.dek.generation = version->dek_generation, .key = version->key, .version = version->version};
	unsigned char *value = NULL;
	size_t len = 0;

	if (version->state == VERSION_REVOKED)
		return OK;
	dek = find_dek(checking, version->integration_id);
	value = arena_alloc(&checking->arena, version->sealed.len);
	memcpy(context.dek.integration_id, version->integration_id, sizeof(context.dek.integration_id));
	memcpy(context.secret_id, version->secret_id, sizeof(context.secret_id));
	if (dek == NULL || value == NULL ||
		envelope_open(dek, &context, version->sealed.bytes, version->sealed.len, value, &len) != OK) {
		log_error("version %llu of key %s does not open", (unsigned long long)version->version,
			version->key);
		checking->damaged++;
	}
	checking->values++;
	arena_wipe(&checking->arena);
	return OK;
}

static enum err check_vault(struct checking *checking, const char **reason_out)
{
	struct store_integration_filter all = {0};
	enum err err = store_check(checking->store, reason_out);

	if (err == OK)
		err = check_audit(checking);
	if (err == OK)
		err = store_integration_each(checking->store, &all, on_integration, checking);
	if (err == OK)
		err = store_version_each(checking->store, on_version, checking);
	return err;
}

/* As the vault's owner from here on until site_leave: root would leave files of its own behind. */
static enum err open_vault(struct site *site, struct checking *checking, const char **reason_out)
{
	__attribute__((cleanup(setup_free_root_key))) struct root_key *root = NULL;
	const struct config *config = site->config;
	const char *reason = NULL;
	enum err err = site_read_key(site, &root, reason_out);

	if (err == OK)
		err = site_enter(site, reason_out);
	if (err != OK)
		return err == ERR_NOT_FOUND ? ERR_CONFIG : err;
	err = setup_open_store(config, root, &checking->store, &checking->keys, &reason);
	if (err != OK)
		*reason_out = setup_about_store(config, err, reason);
	return err == ERR_NOT_FOUND || err == ERR_UNSUPPORTED ? ERR_CONFIG : err;
}

int setup_check(const struct config *config)
{
	struct checking checking = {0};
	struct site site = {0};
	const char *reason = NULL;
	char archived[64] = "";
	enum err err = site_find(&site, config, &reason);

	if (err == OK)
		err = open_vault(&site, &checking, &reason);
	if (err == OK) {
		reason = "no locked memory";
		err = arena_init(&checking.arena, 2 * ENVELOPE_BYTES_MAX, config->allow_swap);
	}
	if (err == OK) {
		reason = NULL;
		err = check_vault(&checking, &reason);
		if (err != OK)
			reason = log_about(
				"state_dir", config->state_dir, reason != NULL ? reason : err_text(err));
	}
	dek_close(checking.dek);
	free(checking.deks);
	arena_deinit(&checking.arena);
	keys_free(checking.keys);
	store_close(checking.store);
	site_leave(&site);
	if (err != OK)
		log_error("%s", reason != NULL ? reason : err_text(err));
	if (err == OK && checking.damaged > 0)
		err = ERR_STORAGE;
	if (err == OK && checking.archived > 0)
		snprintf(archived, sizeof(archived), " behind the %llu that were archived",
			(unsigned long long)checking.archived);
	if (err == OK)
		printf("The vault is whole: %zu integrations, %llu sealed values, %llu audit records%s"
		       "; this version does not authenticate configuration rows (see SECURITY.md)\n",
			checking.dek_count, (unsigned long long)checking.values,
			(unsigned long long)(checking.chain.seq - checking.archived), archived);
	return err_exit_code(err);
}
