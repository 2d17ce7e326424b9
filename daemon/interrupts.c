#include "interrupts.h"

#include <stddef.h>

static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

enum { SIGNAL_COUNT = sizeof(signals) / sizeof(signals[0]) };

/* While it is blocked the kernel keeps an ignored signal, too. */
static bool is_ignored(int number)
{
	struct sigaction action = {0};

	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void interrupts_hold(sigset_t *before_out)
{
	sigset_t held;

	sigemptyset(&held);
	for (int i = 0; i < SIGNAL_COUNT; i++)
		if (!is_ignored(signals[i]))
			sigaddset(&held, signals[i]);
	sigprocmask(SIG_BLOCK, &held, before_out);
}

bool interrupts_wait(void)
{
	sigset_t pending;

	if (sigpending(&pending) != 0)
		return false;
	for (int i = 0; i < SIGNAL_COUNT; i++)
		if (sigismember(&pending, signals[i]) == 1 && !is_ignored(signals[i]))
			return true;
	return false;
}

void interrupts_release(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}
