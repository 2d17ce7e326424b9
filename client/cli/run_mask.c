/*
 * Starts the program with its output led through here, where mask.c hides the values.  This process must have them for
 * that, so it fetches, and the program is given its environment.  On a terminal the program finds a terminal; in a
 * pipeline and elsewhere, pipes.
 */
#include "run_mask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "mask.h"
#include "outputs.h"
#include "run.h"
#include "run_start.h"
#include "run_terminal.h"
#include "run_token.h"
#include "run_vault.h"
#include "say.h"
#include "supervise.h"

enum { STDIO = 3 };

struct masker {
	const struct run_options *options;
	const struct terminal *inner; /* NULL: the program stays on the terminal that there is, or on none */
	struct supervisor supervisor;
	struct mask *mask;
	struct outputs outputs;
	int ends[STDIO]; /* what becomes the program's descriptors 0, 1, 2; -1: what is there */
	char run[RUN_ID_BYTES + 1];
};

/* ---- the values ---- */

static int out_of_memory(void)
{
	say("--mask: out of memory", NULL);
	return RUN_EXIT_RETRY;
}

static int make_mask(struct masker *masker, const coffer_env *fetched)
{
	BUF_AUTO short_names = {0};
	enum err err = mask_new(&masker->mask);

	for (size_t i = 0; err == OK && i < coffer_env_count(fetched); i++) {
		struct coffer_variable variable = {.size = sizeof(variable)};

		if (coffer_env_at(fetched, i, &variable) != COFFER_OK)
			continue;
		if (variable.value_len > masker->outputs.longest)
			masker->outputs.longest = variable.value_len;
		err = mask_add(masker->mask, variable.value, variable.value_len);
		if (err != ERR_BAD_VALUE)
			continue;
		buf_append_string(&short_names, short_names.len > 0 ? ", " : "");
		buf_append_string(&short_names, variable.name);
		err = OK;
	}
	if (err == OK)
		err = mask_build(masker->mask);
	if (err != OK)
		return out_of_memory();
	buf_append_byte(&short_names, '\0');
	if (!buf_failed(&short_names) && short_names.len > 1)
		say("--mask: too short to be hidden: ", short_names.bytes, NULL);
	return 0;
}

/* ---- the ways out ---- */

static int add_output(struct masker *masker, const struct output *ends)
{
	return outputs_add(&masker->outputs, masker->mask, ends) == OK ? 0 : out_of_memory();
}

static bool is_same_file(int a, int b)
{
	struct stat of_a = {0};
	struct stat of_b = {0};

	return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

static int fail_output(void)
{
	say("--mask: no way for the output: ", strerrordesc_np(errno), NULL);
	return RUN_EXIT_REFUSED;
}

static int open_terminal(struct masker *masker, int to)
{
	struct terminal terminal = {.master = -1, .slave = -1};

	if (!terminal_open(to, true, &terminal))
		return fail_output();
	masker->ends[to] = terminal.slave;
	return add_output(
		masker, &(struct output){.from = terminal.master, .held = terminal.slave, .to = to});
}

static int open_pipe(struct masker *masker, int to)
{
	int fds[2] = {-1, -1};

	if (pipe2(fds, O_CLOEXEC) != 0)
		return fail_output();
	masker->ends[to] = supervise_above_standard(fds[1]);
	return add_output(
		masker, &(struct output){.from = supervise_above_standard(fds[0]), .held = -1, .to = to});
}

static int use_inner(struct masker *masker)
{
	struct output ends = {
		.from = masker->inner->master, .held = masker->inner->slave, .to = STDOUT_FILENO};

	masker->ends[STDIN_FILENO] = masker->inner->slave;
	masker->ends[STDOUT_FILENO] = masker->inner->slave;
	return add_output(masker, &ends);
}

/* A descriptor that is closed stays so.  Where both are one file they share one way, which keeps the order. */
static int open_output(struct masker *masker, int to)
{
	if (fcntl(to, F_GETFD) < 0)
		return 0;
	if (to == STDERR_FILENO && is_same_file(STDOUT_FILENO, STDERR_FILENO)) {
		masker->ends[to] = masker->ends[STDOUT_FILENO];
		return 0;
	}
	if (masker->inner != NULL && to == STDOUT_FILENO)
		return use_inner(masker);
	return isatty(to) ? open_terminal(masker, to) : open_pipe(masker, to);
}

/* The program has its own now.  Terminals stay open until it has ended. */
static void close_ends(struct masker *masker)
{
	for (size_t i = 0; i < masker->outputs.count; i++) {
		const struct output *output = &masker->outputs.list[i];

		if (output->held < 0)
			close(masker->ends[output->to]);
	}
}

/* ---- the program ---- */

/* It has had the signal from the kernel already, perhaps before its terminal had the new size. */
static bool on_signal(void *arg, int signal, bool is_kernel)
{
	struct masker *masker = arg;

	if (signal != SIGWINCH || !is_kernel)
		return false;
	for (size_t i = 0; i < masker->outputs.count; i++) {
		const struct output *output = &masker->outputs.list[i];

		if (output->held >= 0)
			terminal_resize(output->from, output->to);
	}
	supervise_kill(&masker->supervisor, SIGWINCH);
	return true;
}

/* What it wrote before it stopped, its terminal put in order perhaps, is to be seen before the shell's prompt. */
static void before_stop(void *arg)
{
	struct masker *masker = arg;

	outputs_settle(&masker->outputs);
}

static int open_outputs(struct masker *masker)
{
	int status = 0;

	masker->outputs.keeps_from = masker->inner != NULL;
	for (int to = STDOUT_FILENO; status == 0 && to <= STDERR_FILENO; to++)
		status = open_output(masker, to);
	return status;
}

static int spawn(struct masker *masker, const struct run_start *start)
{
	struct supervise_program program = {
		.path = start->program,
		.arguments = masker->options->command,
		.environment = start->env.strings,
		.stdio = {masker->ends[0], masker->ends[1], masker->ends[2]},
		.terminal = masker->inner != NULL ? masker->inner->slave : -1,
	};

	if (!supervise_init(&masker->supervisor))
		return RUN_EXIT_REFUSED;

	int error = supervise_spawn(&masker->supervisor, &program);

	close_ends(masker);
	return error == 0 ? 0 : run_start_refused(masker->options, error);
}

/* 0 when the program runs. */
static int start_program(struct masker *masker)
{
	RUN_START_AUTO start = {0};
	int status = run_start_prepare(masker->options, false, &start);

	run_token_clear(masker->options->token); /* P1: nothing here asks for it again */
	if (status == 0)
		status = make_mask(masker, start.fetched);
	if (status == 0)
		status = open_outputs(masker);
	if (status == 0)
		status = spawn(masker, &start);
	if (status == 0)
		run_start_id(&start, masker->run);
	return status;
}

static void see_to_the_end(struct masker *masker)
{
	while (masker->supervisor.child > 0) {
		struct pollfd fds[1 + OUTPUT_FDS];

		outputs_ask(&masker->outputs, fds + 1);
		supervise_wait(&masker->supervisor, fds, 1 + OUTPUT_FDS, outputs_deadline(&masker->outputs));
		(void)outputs_carry(&masker->outputs, fds + 1);
	}
	/* What is left to do may be ended by any signal, but not by a reader who is gone. */
	signal(SIGPIPE, SIG_IGN);
	supervise_deinit(&masker->supervisor);
	outputs_finish(&masker->outputs);
}

static int mask_program(const struct run_options *options, const struct terminal *inner)
{
	struct masker masker = {
		.options = options,
		.inner = inner,
		.supervisor = {.hooks = {on_signal, before_stop, NULL},
			.hooks_arg = &masker,
			.has_group = inner != NULL,
			.follows_stops = inner != NULL,
			/* Of the session inside nobody could wake it but the relay, which sees it stop. */
			.stop_signal = inner != NULL ? SIGSTOP : SIGTSTP},
		.ends = {-1, -1, -1},
	};
	int status = start_program(&masker);

	if (status == 0) {
		see_to_the_end(&masker);
		status = masker.supervisor.status;
		if (options->is_recorded && masker.run[0] != '\0')
			run_report_end(options, masker.run, status);
	}
	outputs_clear(&masker.outputs);
	mask_free(masker.mask);
	supervise_deinit(&masker.supervisor);
	return status;
}

static int be_inside(const void *arg, struct terminal *inner)
{
	return mask_program(arg, inner);
}

/* Keys go through us only where they are the program's: in a pipeline somebody else may read them. */
int run_masked(const struct run_options *options)
{
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return terminal_relay(be_inside, options);
	return mask_program(options, NULL);
}
