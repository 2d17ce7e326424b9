/*
 * What a table shows of a member, also where that is not the member as it is.
 */
#ifndef COFFER_CLI_CELLS_H
#define COFFER_CLI_CELLS_H

#include "reply.h"

/* As reply_show, for every way of showing. */
void cells_show(struct buf *buf, const struct reply *reply, const struct json_token *value, enum show show);

#endif
