/*
 * The decoding of one line into a request.  The line is read once and strictly: what is not in the tables
 * is an error before any effect (P8), and what is told about an error is made of our own words only, never of
 * the line's (P1).  What a field may hold: field.c.  Rights and effects are the handlers' business.
 */
#include <stdio.h>
#include <string.h>

#include "field.h"
#include "request.h"

enum { METHOD_BYTES_MAX = 32 };

static const struct gate_limits limits = {
	.depth_max = REQUEST_DEPTH_MAX, .tokens_max = REQUEST_TOKENS_MAX, .keys_max = REQUEST_KEYS_MAX};

/* The raw text of the id, quotes included, is echoed as it came: the gate has seen that it is valid JSON. */
static enum err read_id(struct request *request)
{
	const struct json_token *id = json_member(&request->doc, request->tokens, "id");

	if (id == NULL || (id->type != JSON_STRING && id->type != JSON_INTEGER))
		return ERR_BAD_REQUEST;

	size_t quotes = id->type == JSON_STRING;
	size_t len = id->len + 2 * quotes;

	if (len > sizeof(request->id))
		return ERR_BAD_REQUEST;
	memcpy(request->id, json_raw(&request->doc, id) - quotes, len);
	request->id_len = len;
	return OK;
}

/* The members around the request: these four and no others, and the gate has refused twins. */
static enum err read_envelope(
	struct request *request, const struct json_token **method_out, const struct json_token **params_out)
{
	const struct json_doc *doc = &request->doc;
	const struct json_token *object = request->tokens;
	const struct json_token *method = json_member(doc, object, "method");
	const struct json_token *params = json_member(doc, object, "params");
	uint32_t known = 3 + (params != NULL);
	enum err err = read_id(request);

	if (err != OK)
		return err;
	if (!json_equals(doc, json_member(doc, object, "jsonrpc"), "2.0"))
		return ERR_BAD_REQUEST;
	if (method == NULL || method->type != JSON_STRING || object->count != known)
		return ERR_BAD_REQUEST;
	if (params != NULL && params->type != JSON_OBJECT)
		return ERR_BAD_REQUEST;
	*method_out = method;
	*params_out = params;
	return OK;
}

static enum err read_method(struct request *request, const struct json_token *method)
{
	char name[METHOD_BYTES_MAX + 1] = {0};
	size_t len = 0;

	if (json_text(&request->doc, method, name, sizeof(name), &len) != OK)
		return ERR_UNKNOWN_METHOD;
	request->has_kind = request_kind_from_method(name, len, &request->kind);
	return request->has_kind ? OK : ERR_UNKNOWN_METHOD;
}

/* Says which field and which rule, in words of ours; never what was sent (P1). */
static enum err complain(struct request *request, enum field field, enum err err)
{
	static const char *const complaints[ERR_COUNT] = {
		[ERR_BAD_PARAMS] = "has the wrong type or members",
		[ERR_BAD_NAME] = "does not follow the naming rules",
		[ERR_RESERVED_NAME] = "is dangerous in an environment and is refused",
		[ERR_BAD_VALUE] = "is not a valid ",
		[ERR_TOO_LARGE] = "is over its size limit",
		[ERR_UNSUPPORTED] = "has a condition that this version does not support",
	};

	snprintf(request->detail_store, sizeof(request->detail_store), "%s %s%s", field_info(field)->wire,
		complaints[err], err == ERR_BAD_VALUE ? field_type_word(field_info(field)->type) : "");
	request->detail = request->detail_store;
	return err;
}

static bool takes_field(const struct request_info *info, enum field field)
{
	for (size_t i = 0; i < info->field_count; i++) {
		if (info->fields[i].field == field)
			return true;
	}
	return false;
}

/* What an edit may take back, whatever the field's type. */
static bool is_clearable(enum request_kind kind, enum field field)
{
	if (kind == REQUEST_SECRET_EDIT)
		return field == FIELD_DESCRIPTION || field == FIELD_ISSUER || field == FIELD_ACCESS;
	return kind == REQUEST_INTEGRATION_EDIT && field > FIELD_CONTACT && field <= FIELD_LABELS;
}

/* An empty string takes back what was said. */
static bool is_cleared(const struct request *request, enum field field, const struct json_token *value)
{
	return is_clearable(request->kind, field) && value->type == JSON_STRING && value->len == 0;
}

static enum err read_field(struct request *request, const struct json_token *key)
{
	const struct json_token *value = key + 1;
	enum field field = FIELD_COUNT;

	if (!field_from_wire(json_raw(&request->doc, key), key->len, &field) ||
		!takes_field(request_info(request->kind), field)) {
		request->detail = "params has a member that this method does not take";
		return ERR_BAD_PARAMS;
	}

	enum err err = is_cleared(request, field, value) ? OK : field_check(&request->doc, value, field);

	if (err != OK)
		return complain(request, field, err);
	request->field[field] = value;
	return OK;
}

static bool names_the_object(const struct request *request, const struct json_token *key)
{
	return json_equals(&request->doc, key, field_info(FIELD_NAME)->wire) ||
	       json_equals(&request->doc, key, field_info(FIELD_INTEGRATION)->wire);
}

static enum err read_fields(struct request *request, const struct json_token *params, bool is_naming)
{
	enum err err = OK;

	for (const struct json_token *t = json_first(&request->doc, params); t != NULL && err == OK;
		t = json_next(&request->doc, params, t))
		if (names_the_object(request, t) == is_naming)
			err = read_field(request, t);
	return err;
}

static enum err require_fields(struct request *request)
{
	const struct request_info *info = request_info(request->kind);
	struct buf detail = {0};
	size_t missing = 0;

	buf_init_fixed(&detail, request->detail_store, sizeof(request->detail_store));
	for (size_t i = 0; i < info->field_count; i++) {
		enum field field = info->fields[i].field;

		if (!info->fields[i].is_needed || request->field[field] != NULL)
			continue;
		buf_append_string(&detail, missing++ == 0 ? "" : ", ");
		buf_append_string(&detail, field_info(field)->wire);
	}
	if (missing == 0)
		return OK;
	buf_append_string(&detail, missing == 1 ? " is missing" : " are missing");
	buf_append_byte(&detail, '\0');
	request->detail = buf_failed(&detail) ? "fields are missing" : request->detail_store;
	return ERR_BAD_PARAMS;
}

static void reset(struct request *request, const char *line)
{
	static const char no_id[] = "null";

	*request =
		(struct request){.doc = {.text = line, .tokens = request->tokens}, .id_len = strlen(no_id)};
	memcpy(request->id, no_id, strlen(no_id));
}

enum err request_parse(const char *line, size_t len, struct request *request)
{
	const struct json_token *method = NULL;
	const struct json_token *params = NULL;

	reset(request, line);

	enum err err = gate_scan(line, len, &limits, request->tokens, &request->doc.count);

	if (err == OK)
		err = read_envelope(request, &method, &params);
	if (err == OK)
		err = read_method(request, method);
	/* The right may depend on the object: it is known whatever is wrong with the other fields. */
	if (err == OK)
		err = read_fields(request, params, true);
	if (err == OK)
		err = read_fields(request, params, false);
	return err == OK ? require_fields(request) : err;
}

bool request_has(const struct request *request, enum field field)
{
	return request->field[field] != NULL;
}

bool request_flag(const struct request *request, enum field field)
{
	return request_has(request, field) && request->field[field]->type == JSON_TRUE;
}

int64_t request_count(const struct request *request, enum field field, int64_t fallback)
{
	int64_t count = 0;

	return json_integer(&request->doc, request->field[field], &count) == OK ? count : fallback;
}

bool request_text(const struct request *request, enum field field, char *out, size_t cap)
{
	size_t len = 0;

	return json_text(&request->doc, request->field[field], out, cap, &len) == OK;
}

const struct json_token *request_first(const struct request *request, enum field field)
{
	return json_first(&request->doc, request->field[field]);
}

const struct json_token *request_next(
	const struct request *request, enum field field, const struct json_token *at)
{
	return json_next(&request->doc, request->field[field], at);
}

bool request_member(const struct request *request, enum field field, const char *key, char *out, size_t cap)
{
	const struct json_token *value = json_member(&request->doc, request->field[field], key);
	size_t len = 0;

	return json_text(&request->doc, value, out, cap, &len) == OK;
}
