/*
 * Text of other people's making, made fit for a page and for a sheet.  Both first go through the filter of the terminal
 * (tty_text): what would reorder, hide or control is shown as \x.. bytes.  Line breaks and tabs of a longer text stay.
 */
#ifndef COFFER_CLI_REPORT_ESCAPE_H
#define COFFER_CLI_REPORT_ESCAPE_H

#include <stdio.h>

#include "buf.h"
#include "reply.h"

/* Appends what people see of a value: texts filtered, lists with commas, maps as KEY=VALUE; nothing when there is none. */
void report_escape_value(struct buf *buf, const struct reply *reply, const struct json_token *value);

/* Appends filtered text. */
void report_escape_text(struct buf *buf, const char *text, size_t len);

/* Writes filtered text into HTML, between tags or inside an attribute's quotes. */
void report_escape_html(FILE *out, const char *text, size_t len);

/*
 * Writes filtered text as a cell of RFC 4180, always quoted.  A spreadsheet takes what begins with = + - @ or a tab for a
 * formula, also behind blanks and in full width: such a cell begins with an apostrophe instead.
 */
void report_escape_csv(FILE *out, const char *text, size_t len);

#endif
