/*
 * Reports come from other hosts by ways that nobody checks.  Each file is read whole within limits, goes through the
 * strict gate, and only then are its vaults taken over as they stand; what is shown of them is escaped where it is shown.
 */
#include "report_merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "report_model.h"
#include "text.h"

enum { READ_BYTES = 1 << 16, VAULT_BYTES = 65 };

/* The vaults taken over so far, and the file that each came from. */
struct merging {
	struct cli *cli;
	struct json_writer w;
	int64_t newest_ms;
	struct source {
		char vault[VAULT_BYTES];
		const char *path;
	} * sources; /* owned */
	size_t count;
};

static void clear_merging(struct merging *merging)
{
	free(merging->sources);
}

#define MERGING_AUTO __attribute__((cleanup(clear_merging))) struct merging

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* A pipe or a device could go on for ever, or never begin. */
static enum err open_file(const struct cli *cli, const char *path, int *out)
{
	struct stat status = {0};

	*out = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*out < 0 || fstat(*out, &status) != 0)
		return cli_fail(cli, ERR_NOT_FOUND, "%s cannot be opened: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return cli_fail(cli, ERR_BAD_VALUE, "%s is not a regular file", path);
	return OK;
}

static enum err read_file(const struct cli *cli, const char *path, struct buf *out)
{
	__attribute__((cleanup(close_fd))) int fd = -1;
	enum err err = open_file(cli, path, &fd);
	ssize_t got = 1;

	while (err == OK && got > 0) {
		char chunk[READ_BYTES];

		got = read(fd, chunk, sizeof(chunk));
		if (got < 0)
			return cli_fail(cli, ERR_STORAGE, "%s cannot be read: %s", path, strerror(errno));
		buf_append(out, chunk, (size_t)got);
		if (out->len > REPORT_FILE_BYTES_MAX)
			return cli_fail(cli, ERR_TOO_LARGE, "%s is larger than %d MiB", path,
				REPORT_FILE_BYTES_MAX >> 20);
	}
	if (err == OK && buf_failed(out))
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	return err;
}

static enum err refuse_document(const struct cli *cli, const char *path, enum err err)
{
	if (err == ERR_INTERNAL)
		return cli_fail(cli, err, "no memory");
	if (err == ERR_TOO_COMPLEX)
		return cli_fail(cli, err, "%s has more in it than a report of its size", path);
	return cli_fail(cli, ERR_BAD_VALUE,
		"%s is no report that coffer report --format json of this version wrote", path);
}

static enum err note_source(struct merging *merging, const char *vault, const char *path)
{
	for (size_t i = 0; i < merging->count; i++) {
		if (strcmp(merging->sources[i].vault, vault) == 0)
			return cli_fail(merging->cli, ERR_CONFLICT,
				"%s and %s are of the same vault, %s: leave one of them out",
				merging->sources[i].path, path, vault);
	}

	struct source *grown = reallocarray(merging->sources, merging->count + 1, sizeof(*grown));

	if (grown == NULL)
		return cli_fail(merging->cli, ERR_INTERNAL, "no memory");
	merging->sources = grown;
	grown[merging->count] = (struct source){.path = path};
	memcpy(grown[merging->count].vault, vault, strlen(vault));
	merging->count++;
	return OK;
}

static enum err take_vault(struct merging *merging, const struct report *report,
	const struct json_token *vault, const char *path)
{
	int64_t at_ms = report_time(report, vault, "generated_at");
	char id[VAULT_BYTES] = "";

	reply_text(&report->doc, vault, "vault", id, sizeof(id));
	if (!text_is_slug(id, strlen(id)))
		return refuse_document(merging->cli, path, ERR_PROTOCOL);

	enum err err = note_source(merging, id, path);

	if (err != OK)
		return err;
	if (at_ms > merging->newest_ms)
		merging->newest_ms = at_ms;
	json_write_raw(&merging->w, json_raw(&report->doc.doc, vault), vault->len);
	if (merging->w.buf->len > REPORT_MERGED_BYTES_MAX)
		return cli_fail(merging->cli, ERR_TOO_LARGE, "the reports together are larger than %d MiB",
			REPORT_MERGED_BYTES_MAX >> 20);
	return OK;
}

static enum err take_file(struct merging *merging, const char *path)
{
	BUF_AUTO text = {0};
	REPORT_AUTO report = {0};
	enum err err = read_file(merging->cli, path, &text);

	if (err != OK)
		return err;
	err = report_read(&report, text.bytes, text.len);
	text = (struct buf){0}; /* the report's now */
	if (err != OK)
		return refuse_document(merging->cli, path, err);
	for (struct report_walk walk = report_walk(&report, NULL, "vaults"); err == OK && report_step(&walk);)
		err = take_vault(merging, &report, walk.at, path);
	return err;
}

static enum err take_files(struct merging *merging)
{
	const struct args *args = &merging->cli->args;
	size_t cursor = 0;
	size_t count = 0;
	enum err err = OK;

	for (const char *path = args_next(args, SLOT_FILE, &cursor); path != NULL && err == OK;
		path = args_next(args, SLOT_FILE, &cursor)) {
		if (++count > REPORT_FILES_MAX)
			return cli_usage(merging->cli, "at most %d files", REPORT_FILES_MAX);
		err = take_file(merging, path);
	}
	return err;
}

enum err report_merge(struct cli *cli, struct buf *out)
{
	MERGING_AUTO merging = {.cli = cli, .w = json_writer(out)};
	struct json_writer *w = &merging.w;

	json_begin_object(w);
	json_put_string(w, "report", REPORT_FORMAT);
	json_key(w, "vaults");
	json_begin_array(w);

	enum err err = take_files(&merging);

	json_end_array(w);
	json_put_time(w, "generated_at", merging.newest_ms);
	json_end_object(w);
	if (err != OK)
		return err;
	return buf_failed(out) ? cli_fail(cli, ERR_INTERNAL, "no memory") : OK;
}
