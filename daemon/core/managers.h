/*
 * Managers of an integration: users and groups that may work on it without having a role.  Numbers count, which
 * were looked up when managed_by was written; a recycled name gains nothing.
 */
#ifndef COFFER_CORE_MANAGERS_H
#define COFFER_CORE_MANAGERS_H

#include "handler.h"

/*
 * After no role gave the right: does the caller manage the integration that the request names, or, of a list that
 * names none, anything at all?  DENIED alike for what is forbidden and what does not exist (P2), and for the fields
 * that are never a manager's to use.  parsed: what decoding the request gave.
 */
enum err managers_check(struct call *call, enum err parsed);

/* For lists of everything: may the caller see this one?  Those with a role see all. */
bool managers_may_see(const struct call *call, const unsigned char integration_id[STORE_ID_BYTES]);
bool managers_may_see_name(const struct call *call, const char *integration);

/* managed_by of a stored integration as rows.  BAD_VALUE: a name that nobody has, or that must not manage. */
enum err managers_write(struct call *call, const struct store_integration *integration);

/* Does this principal manage anything? */
bool managers_manages_any(struct core *core, const struct principal *principal);

/* integration.show's part: the numbers that count, under the names that they have now. */
enum err managers_list(struct call *call, const unsigned char integration_id[STORE_ID_BYTES]);

/* whoami's part: what the caller manages. */
enum err managers_tell(struct call *call);

#endif
