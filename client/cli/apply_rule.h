/*
 * One grant of an apply file: "user=etl unit=etl.service staged_only".
 */
#ifndef COFFER_CLI_APPLY_RULE_H
#define COFFER_CLI_APPLY_RULE_H

#include <stdbool.h>

#include "buf.h"
#include "json.h"
#include "reply.h"

/* What is wrong with it that the daemon's own check could not say; "": it is empty; NULL: nothing. */
const char *apply_rule_objection(const char *text);

/* The members rule and, where it is asked for, staged_only. */
void apply_rule_write(struct json_writer *w, const char *text);

/* For people, fit for a terminal. */
void apply_rule_show(struct buf *buf, const char *text);

/* The vault's grant, as grant.list tells it, is this one. */
bool apply_rule_is(const struct reply *reply, const struct json_token *grant, const char *text);

#endif
