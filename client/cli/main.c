/*
 * `coffer`, the small program: it does `run`, which starts with every integration and must cost next to nothing,
 * and becomes coffer-manage for everything else.
 */
#include <stdbool.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "program.h"
#include "run.h"
#include "say.h"

/* Index of the command word behind the global options, or 0: that is coffer-manage's to explain. */
static int find_command(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--socket") == 0)
			i++;
		else if (argv[i][0] != '-')
			return i;
		else if (strncmp(argv[i], "--socket=", 9) != 0 && strcmp(argv[i], "--user") != 0 &&
			 strcmp(argv[i], "--json") != 0)
			return 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int command_at = find_command(argc, argv);

	if (command_at > 0 && strcmp(argv[command_at], "run") == 0)
		return run_main(argc, argv, command_at);

	BUF_AUTO tried = {0};

	program_become_manage(argv, &tried);
	say("coffer-manage, which does everything but run, cannot be started from any of: ",
		buf_failed(&tried) ? "" : tried.bytes, NULL);
	return err_exit_code(ERR_CONFIG);
}
