/*
 * Who held which version when, from the runs of an integration.
 */
#ifndef COFFER_CLI_REPORT_HELD_H
#define COFFER_CLI_REPORT_HELD_H

#include <stdint.h>

#include "err.h"
#include "json.h"
#include "reply.h"

/*
 * Writes the members runs{started,ok,failed,running,unknown,more} and held[{key,version,from,until,runs}] from the answer
 * of run.list with this limit.  A span of held goes on as long as the next run of the version begins within a day of the
 * end of the last; until is null while one of them may still have it.  ERR_INTERNAL: no memory.
 */
enum err report_held_write(struct json_writer *w, const struct reply *runs, int64_t since_ms, int64_t limit);

#endif
