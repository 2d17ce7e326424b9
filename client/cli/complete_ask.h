/*
 * Questions to the daemon on behalf of a command line that is still being typed: who asks, and nothing that this caller
 * would be refused, because each press of a key would then be a record in the audit log.
 */
#ifndef COFFER_CLI_COMPLETE_ASK_H
#define COFFER_CLI_COMPLETE_ASK_H

#include <stdbool.h>

#include "buf.h"
#include "cli.h"
#include "complete_line.h"
#include "err.h"
#include "reply.h"
#include "request.h"

struct asking {
	struct cli cli;
	const struct complete_line *line;
	struct reply who; /* result of whoami, over a text of its own */
	struct buf who_text;
};

/* False: there is nobody to ask, within a second, or a sealed vault.  asking_end is due in any case. */
bool asking_begin(struct asking *asking, const struct complete_line *line);
void asking_end(struct asking *asking);

/* Whether asking about the integration (NULL: all that there are) is this caller's right. */
bool asking_may_view(const struct asking *asking, const char *integration);

/* params NULL: none.  Errors as cli_try: not reported. */
enum err asking_ask(
	struct asking *asking, enum request_kind kind, const struct buf *params, struct reply *reply);

/*
 * Asks about the integration that the line names, or about its key.  ERR_DENIED and ERR_NOT_FOUND, without asking, where
 * the daemon would say so.
 */
enum err asking_ask_about(struct asking *asking, enum request_kind kind, bool has_key, struct reply *reply);

#endif
