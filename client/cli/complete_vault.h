/*
 * Candidates from the running vault: names, keys, versions and numbers; never a value.
 */
#ifndef COFFER_CLI_COMPLETE_VAULT_H
#define COFFER_CLI_COMPLETE_VAULT_H

#include "candidates.h"
#include "complete_line.h"

/*
 * Nothing is said when the vault is not reachable within a second.  Nothing is asked that would be refused, which would
 * be a record in the audit log for each press of a key.
 */
void complete_vault_add(const struct complete_line *line, struct candidates *candidates);

#endif
