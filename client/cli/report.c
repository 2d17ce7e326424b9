/*
 * The command: where the document comes from and in which form it is written.  All that can fail early does so before a
 * file is made.
 */
#include "report.h"

#include <string.h>

#include "cli.h"
#include "output_file.h"
#include "params.h"
#include "report_csv.h"
#include "report_data.h"
#include "report_html.h"
#include "report_json.h"
#include "report_merge.h"
#include "report_model.h"

enum { DAYS_DEFAULT = 92 };

typedef enum err write_fn(FILE *out, const struct report *report);

static const struct form {
	const char *word;
	write_fn *write;
} forms[] = {
	{"html", report_html},
	{"csv", report_csv},
	{"json", report_json},
};

static enum err choose_form(const struct cli *cli, write_fn **out)
{
	const char *word = args_text(&cli->args, SLOT_FORMAT);

	if (cli_is_json(cli) && word != NULL && strcmp(word, "json") != 0)
		return cli_usage(cli, "--json and --format %s contradict each other", word);
	if (word == NULL)
		word = cli_is_json(cli) ? "json" : "html";
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		*out = forms[i].write;
		if (strcmp(forms[i].word, word) == 0)
			return OK;
	}
	return cli_usage(cli, "--format: html, csv or json");
}

static enum err make_document(struct cli *cli, struct buf *out)
{
	bool is_merge = args_text(&cli->args, SLOT_MERGE) != NULL;
	bool has_files = args_text(&cli->args, SLOT_FILE) != NULL;
	int64_t days = DAYS_DEFAULT;

	if (is_merge && !has_files)
		return cli_usage(cli, "--merge needs reports in JSON");
	if (!is_merge && has_files)
		return cli_usage(cli, "files are for --merge; --output says where a report goes");
	if (is_merge && args_text(&cli->args, FIELD_DAYS) != NULL)
		return cli_usage(cli, "--days was settled when the reports to be merged were made");

	enum err err = params_count(cli, FIELD_DAYS, &days);

	if (err == OK && (days < 1 || days > REPORT_DAYS_MAX))
		err = cli_usage(cli, "--days: from 1 to %d", REPORT_DAYS_MAX);
	if (err != OK)
		return err;
	return is_merge ? report_merge(cli, out) : report_collect(cli, days, out);
}

/* The document goes through the gate like those of others: what is written is what was read back. */
static enum err write_report(struct cli *cli, struct buf *document, write_fn *write)
{
	const char *path = args_text(&cli->args, SLOT_OUTPUT);
	REPORT_AUTO report = {0};
	FILE *stream = NULL;
	enum err err = report_read(&report, document->bytes, document->len);

	*document = (struct buf){0}; /* the report's now */
	if (err != OK)
		return cli_fail(cli, err, "the daemon's answers make no report: %s", err_text(err));
	err = output_file_open(cli, path, &stream);
	if (err != OK)
		return err;
	err = write(stream, &report);
	if (err != OK)
		err = cli_fail(cli, err, "no memory");
	return output_file_close(cli, path, stream, err);
}

enum err report_run(struct cli *cli)
{
	BUF_AUTO document = {0};
	write_fn *write = NULL;
	enum err err = choose_form(cli, &write);

	if (err == OK)
		err = make_document(cli, &document);
	return err == OK ? write_report(cli, &document, write) : err;
}
