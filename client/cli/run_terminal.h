/*
 * A terminal of our own between the program and the user's, so that what the program prints can be masked and it still
 * finds a terminal there: colours, line editing, window size, job control.
 */
#ifndef COFFER_CLI_RUN_TERMINAL_H
#define COFFER_CLI_RUN_TERMINAL_H

#include <stdbool.h>

struct terminal {
	int master; /* does not block */
	int slave;
};

/*
 * Makes one with the size of the terminal at descriptor like; with its settings too, unless is_plain: then nothing is
 * echoed or changed on the way, because the output goes through the user's terminal afterwards.  False: errno tells.
 */
bool terminal_open(int like, bool is_plain, struct terminal *out);

/* Fine on descriptors that are closed already (-1). */
void terminal_close(struct terminal *terminal);

void terminal_resize(int master, int like);

/* The process inside: leads the session whose terminal inner is, and writes to the user's itself.  Gives its status. */
typedef int terminal_inside_fn(const void *arg, struct terminal *inner);

/*
 * Stays between the user's terminal at standard input and a process inside, until that ends; gives its status.  Keys
 * go in as they are, because the terminal inside makes signals and lines of them.
 */
int terminal_relay(terminal_inside_fn *inside, const void *arg);

#endif
