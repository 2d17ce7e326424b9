/*
 * Reading a document and counting what is in it.  The figures are counted here in every form of the report, and again
 * after a merge: what a file claims of itself is never believed.
 */
#include "report_model.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Where days of use are most of a report, it has 6.3 bytes a token; this bounds what a hostile file of a length costs. */
enum { BYTES_PER_TOKEN_LEAST = 5, TOKENS_OVER = 4096 };

const char *report_figure_wire(enum figure figure)
{
	static const char *const wires[] = {
#define FIGURE(name, wire, text) wire,
#include "report_figures.def"
#undef FIGURE
	};

	return wires[figure];
}

const char *report_figure_text(enum figure figure)
{
	static const char *const texts[] = {
#define FIGURE(name, wire, text) text,
#include "report_figures.def"
#undef FIGURE
	};

	return texts[figure];
}

struct report_walk report_walk(const struct report *report, const struct json_token *object, const char *path)
{
	return (struct report_walk){.report = report, .array = reply_array(&report->doc, object, path)};
}

bool report_step(struct report_walk *walk)
{
	const struct json_doc *doc = &walk->report->doc.doc;

	walk->at = walk->at == NULL ? json_first(doc, walk->array) : json_next(doc, walk->array, walk->at);
	return walk->at != NULL;
}

int64_t report_time(const struct report *report, const struct json_token *object, const char *path)
{
	return reply_time(&report->doc, object, path);
}

int64_t report_sum(int64_t a, int64_t b)
{
	static const int64_t most =
		9007199254740991; /* what the gate takes for a number, hence a and b are no more */
	int64_t sum = a + b;

	if (sum > most)
		return most;
	return sum < -most ? -most : sum;
}

bool report_is_acked(const struct report *report, const struct json_token *alert)
{
	const struct json_token *acked = reply_at(&report->doc, alert, "acked");

	return acked != NULL && acked->type == JSON_OBJECT;
}

const struct report_entry *report_find(
	const struct report *report, const struct json_token *vault, const struct json_token *name)
{
	char wanted[INTEGRATION_NAME_BYTES_MAX + 1] = "";
	size_t len = 0;

	if (json_text(&report->doc.doc, name, wanted, sizeof(wanted), &len) != OK)
		return NULL;
	for (size_t i = 0; i < report->count; i++) {
		const struct report_entry *entry = &report->entries[i];

		if (entry->vault == vault && reply_is(&report->doc, entry->record, "name", wanted))
			return entry;
	}
	return NULL;
}

/* ---- counting ---- */

static int64_t count_state(
	const struct report *report, const struct json_token *object, const char *path, const char *state)
{
	int64_t count = 0;

	for (struct report_walk walk = report_walk(report, object, path); report_step(&walk);)
		count += reply_is(&report->doc, walk.at, "state", state);
	return count;
}

/* Reviews that fell into the report's days. */
static int64_t count_reviews(const struct report *report, const struct report_entry *entry)
{
	int64_t since_ms = report_time(report, entry->vault, "since");
	int64_t count = 0;

	for (struct report_walk walk = report_walk(report, entry->whole, "history"); report_step(&walk);)
		count += reply_is(&report->doc, walk.at, "field", "reviewed_at") &&
			 report_time(report, walk.at, "at") >= since_ms;
	return count;
}

/* The figure whose member is called like this text. */
static void count_word(struct report *report, const struct json_token *object, const char *path,
	enum figure first, enum figure last)
{
	for (enum figure figure = first; figure <= last; figure++)
		report->figures[figure] += reply_is(&report->doc, object, path, report_figure_wire(figure));
}

static bool is_past(const struct report *report, const struct report_entry *entry,
	const struct json_token *object, const char *path)
{
	int64_t at_ms = report_time(report, object, path);

	return at_ms > 0 && at_ms <= report_time(report, entry->vault, "generated_at");
}

static void count_secret(
	struct report *report, const struct report_entry *entry, const struct json_token *secret)
{
	report->figures[FIGURE_SECRETS]++;
	report->figures[FIGURE_OVERDUE] += is_past(report, entry, secret, "rotate_at");
	for (struct report_walk walk = report_walk(report, secret, "versions"); report_step(&walk);) {
		bool is_out = reply_is(&report->doc, walk.at, "state", "current") ||
			      reply_is(&report->doc, walk.at, "state", "staged");

		count_word(report, walk.at, "state", FIGURE_STAGED, FIGURE_REVOKED);
		report->figures[FIGURE_EXPIRED] += is_out && is_past(report, entry, walk.at, "expires_at");
	}
}

static int64_t count_array(const struct report *report, const struct json_token *object, const char *path)
{
	const struct json_token *array = reply_array(&report->doc, object, path);

	return array == NULL ? 0 : array->count;
}

static void count_entry(struct report *report, const struct report_entry *entry)
{
	int64_t *figures = report->figures;

	figures[FIGURE_INTEGRATIONS]++;
	count_word(report, entry->record, "state", FIGURE_ACTIVE, FIGURE_RETIRED);
	count_word(report, entry->record, "environment", FIGURE_PRODUCTION, FIGURE_SANDBOX);
	figures[FIGURE_GRANTS] += count_array(report, entry->whole, "grants");
	figures[FIGURE_HOLDERS] += count_array(report, entry->whole, "holders");
	figures[FIGURE_TOKENS] += count_state(report, entry->whole, "tokens", "active");
	figures[FIGURE_REQUESTS_PENDING] += count_state(report, entry->whole, "requests", "pending");
	figures[FIGURE_REVIEWS] += count_reviews(report, entry);
	figures[FIGURE_RUNS_FAILED] = report_sum(
		figures[FIGURE_RUNS_FAILED], reply_integer(&report->doc, entry->whole, "runs.failed"));
	figures[FIGURE_REVIEWS_OVERDUE] += is_past(report, entry, entry->whole, "review_at");
	figures[FIGURE_EXPIRED] += is_past(report, entry, entry->record, "expires_at");
	for (struct report_walk walk = report_walk(report, entry->whole, "secrets"); report_step(&walk);)
		count_secret(report, entry, walk.at);
	for (struct report_walk walk = report_walk(report, entry->whole, "usage"); report_step(&walk);)
		figures[FIGURE_FETCHES] =
			report_sum(figures[FIGURE_FETCHES], reply_integer(&report->doc, walk.at, "fetches"));
}

static void count_vault(struct report *report, const struct json_token *vault)
{
	/* What somebody has seen needs no look. */
	for (struct report_walk walk = report_walk(report, vault, "alerts"); report_step(&walk);) {
		if (!report_is_acked(report, walk.at))
			count_word(report, walk.at, "severity", FIGURE_CRITICAL, FIGURE_NOTICE);
	}
}

/* ---- reading ---- */

static bool is_vault(const struct report *report, const struct json_token *vault)
{
	const struct reply *doc = &report->doc;
	const struct json_token *id = reply_at(doc, vault, "vault");
	const struct json_token *host = reply_at(doc, vault, "host");

	return id != NULL && id->type == JSON_STRING && id->len > 0 && host != NULL &&
	       host->type == JSON_STRING && report_time(report, vault, "generated_at") > 0 &&
	       report_time(report, vault, "since") > 0 && reply_array(doc, vault, "integrations") != NULL;
}

/* Which entries there are, now that it is known how many. */
static enum err list_entries(struct report *report, size_t count)
{
	report->entries = calloc(count > 0 ? count : 1, sizeof(*report->entries));
	if (report->entries == NULL)
		return ERR_INTERNAL;
	for (struct report_walk vaults = report_walk(report, NULL, "vaults"); report_step(&vaults);) {
		for (struct report_walk walk = report_walk(report, vaults.at, "integrations");
			report_step(&walk);) {
			struct report_entry *entry = &report->entries[report->count++];

			*entry = (struct report_entry){.vault = vaults.at,
				.whole = walk.at,
				.record = reply_at(&report->doc, walk.at, "integration"),
				.vault_no = report->vault_count};
			if (entry->record == NULL || entry->record->type != JSON_OBJECT)
				return ERR_PROTOCOL;
			count_entry(report, entry);
		}
		count_vault(report, vaults.at);
		report->vault_count++;
	}
	return OK;
}

enum err report_read(struct report *report, char *text, size_t len)
{
	size_t count = 0;

	*report = (struct report){.text = text};

	enum err err = reply_read_bounded(
		&report->doc, text, len, (uint32_t)(len / BYTES_PER_TOKEN_LEAST) + TOKENS_OVER);

	if (err == OK && !reply_is(&report->doc, NULL, "report", REPORT_FORMAT))
		err = ERR_PROTOCOL;
	if (err == OK && count_array(report, NULL, "vaults") == 0)
		err = ERR_PROTOCOL;
	if (err != OK)
		return err;
	for (struct report_walk walk = report_walk(report, NULL, "vaults"); report_step(&walk);) {
		if (!is_vault(report, walk.at))
			return ERR_PROTOCOL;
		count += (size_t)count_array(report, walk.at, "integrations");
	}
	return list_entries(report, count);
}

void report_clear(struct report *report)
{
	reply_clear(&report->doc);
	free(report->entries);
	free(report->text);
	*report = (struct report){0};
}
