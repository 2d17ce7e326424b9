/*
 * The history of an integration: every change of a documented field and of a version's state, with who did it and why.
 * Names, times and states; never a value (P3).
 */
#include "handler.h"

enum err changes_note(struct call *call, const struct store_change *change)
{
	struct store_change row = *change;

	row.time_ms = call->now_ms;
	row.uid = call->who->uid;
	row.has_approver = call->approved != NULL;
	row.approved_by = call->approved != NULL ? call->approved->by : 0;
	return store_change_insert(call->core->store, &row);
}
