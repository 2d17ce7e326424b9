/*
 * Header and checkpoint lines of a log file.  What they claim is compared with the records by whoever verifies (P7).
 */
#include "segment.h"

#include <string.h>

#include "base64.h"

#define HEADER "coffer_audit"
#define CHECKPOINT "coffer_checkpoint"

enum { VERSION = 1, HEADER_MEMBERS = 5 };

void segment_write_header(struct json_writer *w, const struct segment *segment)
{
	json_begin_object(w);
	json_put_integer(w, HEADER, VERSION);
	json_put_string(w, "host", segment->host);
	json_put_hex(w, "vault", segment->vault, sizeof(segment->vault));
	if (segment->is_filtered) {
		json_put_bool(w, "filtered", true);
	} else {
		json_put_integer(w, "from_seq", (int64_t)segment->from_seq);
		json_put_hex(w, "previous", segment->previous, sizeof(segment->previous));
	}
	json_end_object(w);
}

void segment_write_checkpoint(struct json_writer *w, const struct checkpoint *checkpoint)
{
	char bytes[CHECKPOINT_TEXT_BYTES];
	struct buf text = {0};

	buf_init_fixed(&text, bytes, sizeof(bytes));
	checkpoint_write(&text, checkpoint);
	json_begin_object(w);
	json_key(w, CHECKPOINT);
	json_write_text(w, text.bytes, text.len);
	json_end_object(w);
}

bool segment_is_header(const struct json_doc *doc, const struct json_token *object)
{
	return json_member(doc, object, HEADER) != NULL;
}

bool segment_is_checkpoint(const struct json_doc *doc, const struct json_token *object)
{
	return json_member(doc, object, CHECKPOINT) != NULL;
}

static bool read_hex(const struct json_doc *doc, const struct json_token *object, const char *name,
	unsigned char *out, size_t cap)
{
	char hex[2 * RECORD_HASH_BYTES + 1];
	size_t len = 0;
	const struct json_token *token = json_member(doc, object, name);

	return token != NULL && json_text(doc, token, hex, sizeof(hex), &len) == OK &&
	       hex_decode(hex, len, out, cap) == OK;
}

static bool read_host(
	const struct json_doc *doc, const struct json_token *object, char out[CHECKPOINT_HOST_BYTES])
{
	char clean[CHECKPOINT_HOST_BYTES] = "";
	size_t len = 0;
	const struct json_token *token = json_member(doc, object, "host");

	if (token == NULL || json_text(doc, token, out, CHECKPOINT_HOST_BYTES, &len) != OK)
		return false;
	checkpoint_set_host(clean, out);
	return strlen(out) == len && strcmp(clean, out) == 0;
}

static bool read_start(const struct json_doc *doc, const struct json_token *object, struct segment *out)
{
	int64_t from = 0;
	const struct json_token *token = json_member(doc, object, "from_seq");

	if (object->count != HEADER_MEMBERS || token == NULL || json_integer(doc, token, &from) != OK ||
		from < 1)
		return false;
	out->from_seq = (uint64_t)from;
	return read_hex(doc, object, "previous", out->previous, sizeof(out->previous));
}

enum err segment_read_header(const struct json_doc *doc, const struct json_token *object, struct segment *out)
{
	struct segment read = {0};
	int64_t version = 0;
	const struct json_token *filtered = json_member(doc, object, "filtered");

	if (json_integer(doc, json_member(doc, object, HEADER), &version) != OK)
		return ERR_BAD_VALUE;
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	if (!read_host(doc, object, read.host) ||
		!read_hex(doc, object, "vault", read.vault, sizeof(read.vault)))
		return ERR_BAD_VALUE;
	read.is_filtered = filtered != NULL;
	if (!read.is_filtered && !read_start(doc, object, &read))
		return ERR_BAD_VALUE;
	*out = read;
	return OK;
}

enum err segment_read_checkpoint(
	const struct json_doc *doc, const struct json_token *object, struct checkpoint *out)
{
	char text[CHECKPOINT_TEXT_BYTES];
	size_t len = 0;

	if (object->count != 1 ||
		json_text(doc, json_member(doc, object, CHECKPOINT), text, sizeof(text), &len) != OK)
		return ERR_BAD_VALUE;
	return checkpoint_read(text, len, out);
}
