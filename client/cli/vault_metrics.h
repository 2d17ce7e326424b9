/*
 * coffer metrics: the vault in numbers, as OpenMetrics text.
 */
#ifndef COFFER_CLI_VAULT_METRICS_H
#define COFFER_CLI_VAULT_METRICS_H

#include "err.h"

struct cli;

enum err metrics_run(struct cli *cli);

#endif
