/*
 * What waits for a second person, and what became of it.
 */
#ifndef COFFER_CLI_REQUESTS_H
#define COFFER_CLI_REQUESTS_H

#include "err.h"
#include "reply.h"

enum err requests_print_list(const struct reply *reply);
enum err requests_print_approved(const struct reply *reply);
enum err requests_print_rejected(const struct reply *reply);

#endif
