/*
 * integration.history: every change of what is documented, and of the states of versions, newest first.
 */
#include "handler.h"

#include "frame.h"
#include "users.h"

enum { CHANGES_DEFAULT = 100, CHANGES_MAX = 1000, PAGE_BYTES_MAX = REPLY_BYTES_MAX / 2 };

struct listing {
	struct call *call;
	size_t left; /* how many more may be written */
	bool has_more;
};

static void write_person(struct json_writer *w, const char *key, bool is_there, uint32_t uid)
{
	char name[USER_NAME_BYTES] = "";

	if (is_there)
		users_name(uid, name);
	json_put_string(w, key, is_there ? name : NULL);
}

static enum err on_change(void *arg, const struct store_change *change)
{
	struct listing *listing = arg;
	struct json_writer *w = &listing->call->w;

	listing->has_more = listing->left == 0 || listing->call->result.len > PAGE_BYTES_MAX;
	if (listing->has_more)
		return ERR_TOO_LARGE; /* ends the walk */
	listing->left--;
	json_begin_object(w);
	json_put_time(w, "at", change->time_ms);
	write_person(w, "by", true, change->uid);
	write_person(w, "approved_by", change->has_approver, change->approved_by);
	json_put_string(w, "key", change->key[0] != '\0' ? change->key : NULL);
	json_key(w, "version");
	if (change->version != 0)
		json_write_integer(w, (int64_t)change->version);
	else
		json_write_null(w);
	json_put_string(w, "field", change->field);
	json_put_string(w, "old", change->old);
	json_put_string(w, "new", change->new);
	json_put_string(w, "reason", change->reason);
	json_end_object(w);
	return OK;
}

enum err handle_integration_history(struct call *call)
{
	int64_t limit = request_count(call->request, FIELD_LIMIT, CHANGES_DEFAULT);
	struct listing listing = {.call = call, .left = (size_t)(limit < CHANGES_MAX ? limit : CHANGES_MAX)};
	struct integration integration = {0};
	enum err err = integration_find(call, FIELD_NAME, &integration);

	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "name", integration.name);
	json_key(&call->w, "changes");
	json_begin_array(&call->w);
	err = store_change_of(call->core->store, integration.id, listing.left + 1, on_change, &listing);
	if (listing.has_more)
		err = OK;
	json_end_array(&call->w);
	json_put_bool(&call->w, "more", listing.has_more);
	json_end_object(&call->w);
	return err;
}
