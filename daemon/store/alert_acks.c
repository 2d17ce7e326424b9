/*
 * Rows of alerts that somebody has seen, by the alert's id.
 */
#include "sqlite.h"

enum err store_alert_ack_put(struct store *store, const struct store_alert_ack *ack)
{
	QUERY_AUTO query = query_start(store, STATEMENT_ALERT_ACK_PUT);

	query_put_text(&query, ack->alert);
	query_put_int(&query, ack->since_ms);
	query_put_u64(&query, ack->severity);
	query_put_int(&query, ack->until_ms);
	query_put_int(&query, ack->time_ms);
	query_put_u64(&query, ack->uid);
	query_put_text(&query, ack->note);
	query_put_rv(&query);
	return query_write(&query, NULL);
}

enum err store_alert_ack_each(struct store *store, store_alert_ack_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_ALERT_ACK_EACH);

	while (query_next(&query)) {
		struct store_alert_ack ack = {0};

		ack.alert = query_text(&query);
		ack.since_ms = query_int(&query);
		ack.severity = (unsigned)query_int_within(&query, 0, 2);
		ack.until_ms = query_int(&query);
		ack.time_ms = query_int(&query);
		ack.uid = query_u32(&query);
		ack.note = query_text(&query);

		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, &ack);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

enum err store_alert_ack_remove(struct store *store, const char *alert)
{
	QUERY_AUTO query = query_start(store, STATEMENT_ALERT_ACK_REMOVE);

	query_put_text(&query, alert);
	return query_write(&query, NULL);
}
