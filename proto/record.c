/*
 * The audit record: one table of columns gives its canonical bytes, its JSON and the reading of it, so the
 * three cannot drift.  What the hash covers is what is written, in the same order (P4, P7).  The order of
 * records is chain.c's business.
 */
#include "record.h"

#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

#include "base64.h"
#include "canon.h"

enum column_type {
	COLUMN_U64,
	COLUMN_U32,
	COLUMN_I32,
	COLUMN_TIME,
	COLUMN_TEXT,
	COLUMN_SUBJECT,
	COLUMN_HASH, /* links, not content: no part of the canonical fields */
};

struct column {
	const char *name;
	enum column_type type;
	size_t offset;
	size_t size;
};

#define COLUMN(field, name, type) \
	{ \
		name, type, offsetof(struct record, field), sizeof(((struct record *)0)->field) \
	}

static const struct column columns[] = {
	COLUMN(seq, "seq", COLUMN_U64),
	COLUMN(time_ms, "time", COLUMN_TIME),
	COLUMN(kind, "kind", COLUMN_TEXT),
	COLUMN(outcome, "outcome", COLUMN_TEXT),
	COLUMN(uid, "uid", COLUMN_U32),
	COLUMN(gid, "gid", COLUMN_U32),
	COLUMN(pid, "pid", COLUMN_I32),
	COLUMN(unit, "unit", COLUMN_TEXT),
	COLUMN(integration, "integration", COLUMN_TEXT),
	COLUMN(key, "key", COLUMN_TEXT),
	COLUMN(version, "version", COLUMN_U64),
	COLUMN(object, "object", COLUMN_U64),
	COLUMN(run, "run", COLUMN_TEXT),
	COLUMN(subject, "subject", COLUMN_SUBJECT),
	COLUMN(repeats, "repeats", COLUMN_U32),
	COLUMN(detail, "detail", COLUMN_TEXT),
	COLUMN(previous, "previous", COLUMN_HASH),
	COLUMN(hash, "hash", COLUMN_HASH),
};

enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

#undef COLUMN

static const void *field_of(const struct record *record, const struct column *column)
{
	return (const char *)record + column->offset;
}

static void *field_in(struct record *record, const struct column *column)
{
	return (char *)record + column->offset;
}

static int64_t load_integer(const struct record *record, const struct column *column)
{
	const void *field = field_of(record, column);
	int64_t wide = 0;
	uint32_t word = 0;

	if (column->size == sizeof(wide)) {
		memcpy(&wide, field, sizeof(wide));
		return wide;
	}
	memcpy(&word, field, sizeof(word));
	return column->type == COLUMN_I32 ? (int32_t)word : (int64_t)word;
}

static void store_integer(struct record *record, const struct column *column, int64_t value)
{
	uint32_t word = (uint32_t)value;

	if (column->size == sizeof(value))
		memcpy(field_in(record, column), &value, sizeof(value));
	else
		memcpy(field_in(record, column), &word, sizeof(word));
}

static void append_column(struct buf *buf, const struct record *record, const struct column *column)
{
	switch (column->type) {
	case COLUMN_U64:
	case COLUMN_TIME:
		canon_u64(buf, (uint64_t)load_integer(record, column));
		break;
	case COLUMN_U32:
	case COLUMN_I32:
		canon_u32(buf, (uint32_t)load_integer(record, column));
		break;
	case COLUMN_TEXT:
		canon_text(buf, field_of(record, column));
		break;
	case COLUMN_SUBJECT:
		canon_bytes(buf, record->subject.text, record->subject.len);
		break;
	case COLUMN_HASH:
		break;
	}
}

static void hash_record(const struct record *record, unsigned char out[RECORD_HASH_BYTES])
{
	char bytes[sizeof(struct record) + RECORD_SUBJECT_BYTES_MAX + 128];
	struct buf buf = {0};

	buf_init_fixed(&buf, bytes, sizeof(bytes));
	canon_label(&buf, "coffer/audit/1");
	canon_fixed(&buf, record->previous, sizeof(record->previous));
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		append_column(&buf, record, &columns[i]);
	/* Texts are terminated within the record, a subject keeps its limit, label and lengths fit the rest. */
	assert(!buf_failed(&buf));
	(void)crypto_generichash(out, RECORD_HASH_BYTES, (const unsigned char *)buf.bytes, buf.len, NULL, 0);
}

void record_seal(struct record *record)
{
	hash_record(record, record->hash);
}

bool record_is_sealed(const struct record *record)
{
	unsigned char hash[RECORD_HASH_BYTES];

	hash_record(record, hash);
	return memcmp(hash, record->hash, sizeof(hash)) == 0;
}

static void write_column(struct json_writer *w, const struct record *record, const struct column *column)
{
	char time[TIME_TEXT_BYTES] = "";

	json_key(w, column->name);
	switch (column->type) {
	case COLUMN_U64:
	case COLUMN_U32:
	case COLUMN_I32:
		json_write_integer(w, load_integer(record, column));
		break;
	case COLUMN_TIME:
		text_format_time(load_integer(record, column), time);
		json_write_string(w, time);
		break;
	case COLUMN_TEXT:
		json_write_string(w, field_of(record, column));
		break;
	case COLUMN_SUBJECT:
		json_write_text(w, record->subject.text, record->subject.len);
		break;
	case COLUMN_HASH:
		json_write_hex(w, field_of(record, column), RECORD_HASH_BYTES);
		break;
	}
}

void record_write(struct json_writer *w, const struct record *record)
{
	json_begin_object(w);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		write_column(w, record, &columns[i]);
	json_end_object(w);
}

static bool read_integer(const struct json_doc *doc, const struct json_token *token,
	const struct column *column, struct record *record)
{
	int64_t least = column->type == COLUMN_I32 ? INT32_MIN : 0;
	int64_t most = column->type == COLUMN_I32   ? INT32_MAX
		       : column->type == COLUMN_U32 ? UINT32_MAX
						    : INT64_MAX;
	int64_t value = 0;

	if (json_integer(doc, token, &value) != OK || value < least || value > most)
		return false;
	store_integer(record, column, value);
	return true;
}

/* Only the one form that is written: a time has one text, and the hash covers its meaning. */
static bool read_time(const struct json_doc *doc, const struct json_token *token, const struct column *column,
	struct record *record)
{
	char text[TIME_TEXT_BYTES] = "";
	size_t len = 0;
	int64_t time_ms = 0;

	if (json_text(doc, token, text, sizeof(text), &len) != OK || len != TIME_TEXT_BYTES - 1)
		return false;
	if (!text_time(text, len, &time_ms))
		return false;
	store_integer(record, column, time_ms);
	return true;
}

static bool read_hash(const struct json_doc *doc, const struct json_token *token, const struct column *column,
	struct record *record)
{
	char hex[2 * RECORD_HASH_BYTES + 1];
	size_t len = 0;

	return json_text(doc, token, hex, sizeof(hex), &len) == OK &&
	       hex_decode(hex, len, field_in(record, column), column->size) == OK;
}

/* A subject has one form, without escapes, and can therefore stay where it is. */
static bool read_subject(const struct json_doc *doc, const struct json_token *token, struct record *record)
{
	if (token->type != JSON_STRING || token->has_escape || token->len > RECORD_SUBJECT_BYTES_MAX)
		return false;
	record->subject = (struct record_subject){json_raw(doc, token), token->len};
	return true;
}

static bool read_column(const struct json_doc *doc, const struct json_token *token,
	const struct column *column, struct record *record)
{
	size_t len = 0;

	switch (column->type) {
	case COLUMN_U64:
	case COLUMN_U32:
	case COLUMN_I32:
		return read_integer(doc, token, column, record);
	case COLUMN_TIME:
		return read_time(doc, token, column, record);
	case COLUMN_TEXT:
		return json_text(doc, token, field_in(record, column), column->size, &len) == OK;
	case COLUMN_SUBJECT:
		return read_subject(doc, token, record);
	case COLUMN_HASH:
		return read_hash(doc, token, column, record);
	}
	return false;
}

enum err record_read(const struct json_doc *doc, const struct json_token *object, struct record *out)
{
	struct record record = {0};

	/* Names are unique in an object: this many, and each of ours among them, leaves no room for another. */
	if (object == NULL || object->type != JSON_OBJECT || object->count != COLUMN_COUNT)
		return ERR_BAD_VALUE;
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		const struct json_token *token = json_member(doc, object, columns[i].name);

		if (token == NULL || !read_column(doc, token, &columns[i], &record))
			return ERR_BAD_VALUE;
	}
	*out = record;
	return OK;
}
