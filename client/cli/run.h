/*
 * `coffer run`: becomes the program, with the credentials of an integration in its environment.
 */
#ifndef COFFER_CLI_RUN_H
#define COFFER_CLI_RUN_H

/* What run itself answers; anything else is the program's own status. */
enum run_exit {
	RUN_EXIT_RETRY = 75, /* unreachable, sealed, busy: worth another try */
	RUN_EXIT_TIME_LIMIT = 124, /* a test took too long */
	RUN_EXIT_REFUSED = 125, /* denied, refused, bad usage */
	RUN_EXIT_NOT_RUNNABLE = 126,
	RUN_EXIT_NOT_FOUND = 127,
	RUN_EXIT_OF_SIGNAL = 128, /* and the number of the signal that ended the program */
};

/* The word "run" stands at argv[command_at], behind global options.  Returns only if the program was not started. */
int run_main(int argc, char **argv, int command_at);

#endif
