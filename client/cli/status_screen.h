/*
 * A terminal that is drawn on again and again, and is as it was before when that ends, however it ends.
 */
#ifndef COFFER_CLI_STATUS_SCREEN_H
#define COFFER_CLI_STATUS_SCREEN_H

#include <stdbool.h>

/* False: standard output is no terminal, or one that cannot be drawn on; nothing was done then. */
bool screen_enter(void);

/* Shows the lines of text instead of what was there, as many and as much of each as fits. */
void screen_draw(const char *text);

/* Until that many seconds are over, the size has changed, or this process goes on after a stop. */
void screen_sleep(int seconds);

void screen_leave(void);

#endif
