/*
 * The one engine behind the completions of all shells.
 */
#include "complete.h"

#include <stdio.h>

#include "complete_line.h"
#include "complete_vault.h"
#include "complete_words.h"

static void print_kind(const struct complete_line *line)
{
	if (line->wanted == WANT_FILE || line->wanted == WANT_DIRECTORY)
		printf("%s %zu\n", line->wanted == WANT_FILE ? "files" : "directories", line->prefix_len);
	else if (line->wanted == WANT_PROGRAM)
		printf("program %zu\n", line->program_at);
	else
		puts("words");
}

enum err complete_run(char *const *words, size_t count)
{
	struct complete_line line = {0};
	struct candidates candidates = {0};

	if (count == 0)
		return ERR_USAGE;
	/* Whatever goes wrong: a message would land in the middle of a line that somebody is typing. */
	if (freopen("/dev/null", "we", stderr) == NULL)
		return ERR_INTERNAL;
	complete_line_read(words, count, &line);
	candidates.typed = line.typed;
	candidates.prefix_len = line.prefix_len;
	complete_words_add(&line, &candidates);
	complete_vault_add(&line, &candidates);
	print_kind(&line);
	if (!buf_failed(&candidates.lines) && candidates.lines.len > 0)
		(void)fwrite(candidates.lines.bytes, 1, candidates.lines.len, stdout);
	buf_clear(&candidates.lines);
	return OK;
}
