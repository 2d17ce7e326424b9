/*
 * JSON: the vaults as they stand in the document, behind the figures that were counted from them.
 */
#include "report_json.h"

#include "text.h"
#include "tty_json.h"

enum err report_json(FILE *out, const struct report *report)
{
	BUF_AUTO head = {0};
	struct json_writer w = json_writer(&head);
	const struct json_token *vaults = reply_at(&report->doc, NULL, "vaults");

	json_begin_object(&w);
	json_put_string(&w, "report", REPORT_FORMAT);
	json_put_time(&w, "generated_at", report_time(report, NULL, "generated_at"));
	json_key(&w, "figures");
	json_begin_object(&w);
	for (enum figure figure = 0; figure < FIGURE_COUNT; figure++)
		json_put_integer(&w, report_figure_wire(figure), report->figures[figure]);
	json_end_object(&w);
	if (buf_failed(&head))
		return ERR_INTERNAL;
	(void)fwrite(head.bytes, 1, head.len, out);
	(void)fputs(",\"vaults\":", out);
	tty_json_write(out, json_raw(&report->doc.doc, vaults), vaults->len);
	(void)fputs("}\n", out);
	return OK;
}
