/*
 * Columns are a table: where a member is found decides which object it is read from.  Every cell is quoted and goes through
 * report_escape_csv.
 */
#include "report_csv.h"

#include <string.h>

#include "report_escape.h"

enum source { OF_VAULT, OF_RECORD, OF_ENTRY, OF_SECRET, OF_CURRENT };

static const struct column {
	const char *heading;
	enum source source;
	const char *path;
} columns[] = {
	{"host", OF_VAULT, "host"},
	{"vault", OF_VAULT, "vault"},
	{"generated_at", OF_VAULT, "generated_at"},
	{"integration", OF_RECORD, "name"},
	{"state", OF_RECORD, "state"},
	{"title", OF_RECORD, "title"},
	{"description", OF_RECORD, "description"},
	{"owner", OF_RECORD, "owner"},
	{"contact", OF_RECORD, "contact"},
	{"backup_contact", OF_RECORD, "backup_contact"},
	{"purpose", OF_RECORD, "purpose"},
	{"systems", OF_RECORD, "systems"},
	{"scope", OF_RECORD, "scope"},
	{"access", OF_RECORD, "access"},
	{"trigger", OF_RECORD, "trigger"},
	{"schedule", OF_RECORD, "schedule"},
	{"expected_every", OF_RECORD, "expected_every"},
	{"environment", OF_RECORD, "environment"},
	{"docs", OF_RECORD, "docs"},
	{"approval", OF_RECORD, "approval"},
	{"rotate_after", OF_RECORD, "rotate_after"},
	{"rotate_reason", OF_RECORD, "rotate_reason"},
	{"review_after", OF_RECORD, "review_after"},
	{"expires_at", OF_RECORD, "expires_at"},
	{"rate_limit", OF_RECORD, "rate_limit"},
	{"test", OF_RECORD, "test"},
	{"managed_by", OF_RECORD, "managed_by"},
	{"labels", OF_RECORD, "labels"},
	{"lock_grants", OF_RECORD, "lock_grants"},
	{"created_at", OF_RECORD, "created_at"},
	{"created_by", OF_RECORD, "created_by"},
	{"changed_at", OF_RECORD, "changed_at"},
	{"changed_by", OF_RECORD, "changed_by"},
	{"reviewed_at", OF_RECORD, "reviewed_at"},
	{"reviewed_by", OF_RECORD, "reviewed_by"},
	{"review_at", OF_ENTRY, "review_at"},
	{"runs", OF_ENTRY, "runs.started"},
	{"runs_failed", OF_ENTRY, "runs.failed"},
	{"key", OF_SECRET, "key"},
	{"secret_description", OF_SECRET, "description"},
	{"issuer", OF_SECRET, "issuer"},
	{"secret_access", OF_SECRET, "access"},
	{"rotate_at", OF_SECRET, "rotate_at"},
	{"version", OF_CURRENT, "version"},
	{"version_created_at", OF_CURRENT, "created_at"},
	{"version_created_by", OF_CURRENT, "created_by"},
	{"version_expires_at", OF_CURRENT, "expires_at"},
	{"issuer_ref", OF_CURRENT, "issuer_ref"},
	{"note", OF_CURRENT, "note"},
	{"holders", OF_CURRENT, "holders"},
	{"fetches", OF_CURRENT, "fetches"},
	{"last_fetched_at", OF_CURRENT, "last_fetched_at"},
};

enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

struct sheet {
	FILE *out;
	const struct report *report;
	struct buf text;
};

static void clear_sheet(struct sheet *sheet)
{
	buf_clear(&sheet->text);
}

#define SHEET_AUTO __attribute__((cleanup(clear_sheet))) struct sheet

static const struct json_token *current_of(const struct report *report, const struct json_token *secret)
{
	if (secret == NULL)
		return NULL;
	for (struct report_walk walk = report_walk(report, secret, "versions"); report_step(&walk);) {
		if (reply_is(&report->doc, walk.at, "state", "current"))
			return walk.at;
	}
	return NULL;
}

static void put_row(struct sheet *sheet, const struct report_entry *entry, const struct json_token *secret)
{
	const struct json_token *objects[] = {
		[OF_VAULT] = entry->vault,
		[OF_RECORD] = entry->record,
		[OF_ENTRY] = entry->whole,
		[OF_SECRET] = secret,
		[OF_CURRENT] = current_of(sheet->report, secret),
	};

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		const struct json_token *object = objects[columns[i].source];
		const struct json_token *value =
			object == NULL ? NULL : reply_at(&sheet->report->doc, object, columns[i].path);

		(void)fputs(i == 0 ? "" : ",", sheet->out);
		report_escape_value(&sheet->text, &sheet->report->doc, value);
		if (!buf_failed(&sheet->text))
			report_escape_csv(sheet->out, sheet->text.bytes, sheet->text.len);
		sheet->text.len = 0;
	}
	(void)fputs("\r\n", sheet->out);
}

enum err report_csv(FILE *out, const struct report *report)
{
	SHEET_AUTO sheet = {.out = out, .report = report};

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		(void)fprintf(out, "%s\"%s\"", i == 0 ? "" : ",", columns[i].heading);
	(void)fputs("\r\n", out);
	for (size_t i = 0; i < report->count; i++) {
		const struct report_entry *entry = &report->entries[i];
		struct report_walk walk = report_walk(report, entry->whole, "secrets");
		size_t rows = 0;

		for (; report_step(&walk); rows++)
			put_row(&sheet, entry, walk.at);
		if (rows == 0)
			put_row(&sheet, entry, NULL);
	}
	return buf_failed(&sheet.text) ? ERR_INTERNAL : OK;
}
