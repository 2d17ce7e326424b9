/*
 * Candidates that need no daemon: what the tables and the host know.
 */
#ifndef COFFER_CLI_COMPLETE_WORDS_H
#define COFFER_CLI_COMPLETE_WORDS_H

#include "candidates.h"
#include "complete_line.h"

void complete_words_add(const struct complete_line *line, struct candidates *candidates);

#endif
