/*
 * The columns of a query's row.  No value is trusted to have the type, length or range that was written:
 * the file may have been changed behind our back (P7).  A wrong one marks the row as damaged and reads as
 * nothing; whoever reads the row asks once, at its end.
 */
#include "sqlite.h"

#include <stdio.h>
#include <string.h>

bool query_is_null(const struct query *query)
{
	return sqlite3_column_type(query->stmt, query->place) == SQLITE_NULL;
}

void query_skip(struct query *query)
{
	query->place++;
}

/*
 * The next column when it has this type, else NULL and a damaged row.  Its value is read directly, at half
 * the cost of sqlite3_column_*: that is allowed as long as one thread has the connection to itself.
 */
static sqlite3_value *column_of(struct query *query, int type)
{
	sqlite3_value *value = sqlite3_column_value(query->stmt, query->place++);

	if (sqlite3_value_type(value) == type)
		return value;
	query->is_damaged = true;
	return NULL;
}

int64_t query_int(struct query *query)
{
	sqlite3_value *value = column_of(query, SQLITE_INTEGER);

	return value == NULL ? 0 : sqlite3_value_int64(value);
}

int64_t query_int_within(struct query *query, int64_t least, int64_t most)
{
	int64_t value = query_int(query);

	if (value >= least && value <= most)
		return value;
	query->is_damaged = true;
	return least;
}

uint64_t query_u64(struct query *query)
{
	return (uint64_t)query_int_within(query, 0, INT64_MAX);
}

uint32_t query_u32(struct query *query)
{
	return (uint32_t)query_int_within(query, 0, UINT32_MAX);
}

static const char *text_of(struct query *query, sqlite3_value *value)
{
	const char *text = value == NULL ? NULL : (const char *)sqlite3_value_text(value);

	/* A NUL inside would let two different rows read alike. */
	if (text != NULL && strlen(text) == (size_t)sqlite3_value_bytes(value))
		return text;
	query->is_damaged = true;
	return "";
}

const char *query_text(struct query *query)
{
	return text_of(query, column_of(query, SQLITE_TEXT));
}

const char *query_text_or_null(struct query *query)
{
	sqlite3_value *value = sqlite3_column_value(query->stmt, query->place++);
	int type = sqlite3_value_type(value);

	return type == SQLITE_NULL ? NULL : text_of(query, type == SQLITE_TEXT ? value : NULL);
}

struct store_blob query_blob(struct query *query)
{
	sqlite3_value *value = column_of(query, SQLITE_BLOB);

	if (value == NULL)
		return (struct store_blob){0};

	const unsigned char *bytes = sqlite3_value_blob(value);
	size_t len = (size_t)sqlite3_value_bytes(value);

	/* SQLite's pointer for no bytes is NULL, which to us means no blob. */
	return (struct store_blob){len == 0 ? (const unsigned char *)"" : bytes, len};
}

struct store_blob query_blob_or_null(struct query *query)
{
	if (!query_is_null(query))
		return query_blob(query);
	query_skip(query);
	return (struct store_blob){0};
}

void query_fixed(struct query *query, void *out, size_t len)
{
	struct store_blob blob = query_blob(query);

	if (blob.bytes == NULL || blob.len != len) {
		query->is_damaged = true;
		memset(out, 0, len);
		return;
	}
	memcpy(out, blob.bytes, len);
}

void query_chars(struct query *query, char *out, size_t cap)
{
	const char *text = query_text(query);

	if ((size_t)snprintf(out, cap, "%s", text) >= cap) {
		query->is_damaged = true;
		out[0] = '\0';
	}
}
