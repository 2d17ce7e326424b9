/*
 * `coffer run`: reads the command line and takes the way that it asks for.  Without an option that needs a supervisor
 * the program starts in place and no process stays behind.
 */
#include "run.h"

#include <unistd.h>

#include "run_mask.h"
#include "run_options.h"
#include "run_start.h"
#include "run_token.h"
#include "run_verdict.h"
#include "run_watch.h"

static const char help[] =
	"Usage: coffer run [INTEGRATION] [OPTION]... -- CMD [ARG]...\n"
	"\n"
	"Becomes CMD, with the credentials of an integration in its environment.  No shell is involved and\n"
	"no process stays behind: pid, signals, terminal and exit status are CMD's own.\n"
	"Without a name: $COFFER_INTEGRATION, else the only integration that the caller is granted.\n"
	"\n"
	"  --only A,B        fetch these keys and no others\n"
	"  --optional A,B    start even if these have no value\n"
	"  --staged          staged values where there are any, current ones for the other keys\n"
	"  --file KEY        the value in a sealed file in memory, its path (/dev/fd/N) in the variable "
	"(repeatable)\n"
	"  --map KEY=NAME    give the value of KEY to the variable NAME (repeatable)\n"
	"  --keep A,B        these variables win over the vault where they are set already\n"
	"  --clean-env       start from nothing but PATH=/usr/local/bin:/usr/bin:/bin and what --keep names\n"
	"  --wait SECONDS    as long as the daemon is unreachable, sealed or busy, try again for this long\n"
	"  --token-file PATH show the access token in this file, which others may not read\n"
	"  --token-fd N      show the one that can be read from this descriptor\n"
	"                    (without either: the unit's credential coffer-token, if it has one)\n"
	"  --socket PATH     the daemon's socket\n"
	"  --user            the user's own vault\n"
	"  --json            accepted and without effect: all output is CMD's\n"
	"  --help            this text\n"
	"\n"
	"With one of these a supervisor stays, passes signals on, and ends with CMD's status, or with 128+N "
	"when\n"
	"signal N ended it:\n"
	"  --record               report to the daemon how CMD ended\n"
	"  --on-change restart    when other values become current: SIGTERM, and start CMD anew with them\n"
	"  --on-change SIGNAL     send CMD this signal instead (HUP, USR1, ...); CMD fetches for itself\n"
	"    --stop-timeout S     SIGKILL if CMD has not ended S seconds after SIGTERM (30)\n"
	"    --splay S            wait up to S seconds, by chance, so that not all restart at once (0)\n"
	"  --mask                 hide the values in CMD's output; not together with --on-change\n"
	"  --verdict DIGEST       with --staged: run CMD as a test and record its verdict (coffer secret "
	"test)\n"
	"    --time-limit S       a test that takes longer has failed (60)\n"
	"\n"
	"CMD never gets variables that begin with COFFER_.\n"
	"\n"
	"Exit status: that of CMD, or\n"
	"  75   not now: the daemon is unreachable, sealed, busy or too slow; worth another try\n"
	"  124  a test took longer than its time limit\n"
	"  125  denied or refused, or bad usage\n"
	"  126  CMD was found but cannot be executed\n"
	"  127  CMD was not found\n"
	"\n"
	"Manual: coffer-run(1)\n";

static int run(const struct run_options *options)
{
	if (options->verdict != NULL)
		return run_verdict(options);
	if (options->is_masked)
		return run_masked(options);
	if (options->is_recorded || options->wants_change)
		return run_watched(options);
	return run_in_place(options, false, -1);
}

int run_main(int argc, char **argv, int command_at)
{
	struct run_token token = {.fd = -1};
	struct run_options options = {.token = &token};

	if (!run_options_parse(argc, argv, command_at, &options))
		return RUN_EXIT_REFUSED;
	if (options.wants_help)
		return write(STDOUT_FILENO, help, sizeof(help) - 1) == (ssize_t)sizeof(help) - 1
			       ? 0
			       : RUN_EXIT_REFUSED;

	int status = run(&options);

	run_token_clear(&token);
	return status;
}
