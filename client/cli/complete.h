/*
 * What shells ask when somebody presses Tab: the scripts in packaging/completions pass the words of the command line on
 * and get candidates.
 */
#ifndef COFFER_CLI_COMPLETE_H
#define COFFER_CLI_COMPLETE_H

#include <stddef.h>

#include "err.h"

/* The hidden command behind the program's name. */
#define COMPLETE_COMMAND "__complete"

/*
 * words[0..count): the command line behind "coffer" up to the cursor; the last one is being typed and may be empty.
 * Prints one line of what follows: "words", "files N" or "directories N" (names of those, behind the first N bytes of
 * what is typed), or "program N" (the command line of another program, from the Nth word on); then the candidates.
 * Says nothing on standard error and asks nobody anything, whatever happens.
 */
enum err complete_run(char *const *words, size_t count);

#endif
