/*
 * What every way to run has to do with the daemon: a handle, calls that are made again for as long as --wait says,
 * and the sentence for people when they fail.
 */
#ifndef COFFER_CLI_RUN_VAULT_H
#define COFFER_CLI_RUN_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "coffer.h"
#include "run_options.h"

#define NEVER_MS INT64_MAX

/* Monotonic milliseconds, and a pause of some. */
int64_t run_now_ms(void);
void run_pause_ms(int64_t ms);

/* The integration that was named, by option or variable; NULL: the only one. */
const char *run_integration(const struct run_options *options);

/* A handle to the daemon that the options name; timeout_ms 0: as long as --wait allows.  Errors of coffer_open. */
int run_vault_open(const struct run_options *options, int timeout_ms, coffer **out);

/* One call of the library, which gives its error. */
typedef int run_call_fn(coffer *vault, void *arg);

/* Makes the call until it succeeds, or trying again is no use, or --wait is over; gives the last error. */
int run_call_until(coffer *vault, const struct run_options *options, run_call_fn *call, void *arg);

/* May the same call succeed later? */
bool run_is_retry(const coffer *vault, int error);

/* Says why the last call failed and what to do about it.  Gives the exit status: RUN_EXIT_RETRY or RUN_EXIT_REFUSED. */
int run_explain(coffer *vault, const struct run_options *options, int error);

/* Tells the daemon how a run ended.  A failure is said and changes nothing. */
void run_report_end(const struct run_options *options, const char *run, int status);

void run_vault_close(coffer **vault);

#define VAULT_AUTO __attribute__((cleanup(run_vault_close))) coffer *

#endif
