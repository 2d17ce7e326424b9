/*
 * Environment files, strictly: only lines that every common reader reads alike are taken, and each of the
 * others is refused by its number.
 */
#ifndef COFFER_CLI_DOTENV_H
#define COFFER_CLI_DOTENV_H

#include "harvest.h"

enum dotenv_reader {
	DOTENV_LIBRARIES, /* a .env file: the dotenv libraries of Node and Python, docker compose, direnv */
	DOTENV_SYSTEMD, /* EnvironmentFile=: as these, but ; begins a comment, too, and export is not known */
};

/*
 * Takes the assignments of a file into the harvest.
 *
 *     # comment
 *     NAME=plain text           no quotes, # $ ` \ and no white space at either end
 *     NAME='as it stands'       may hold line breaks; no ${ and no backslash before ' or \
 *     NAME="as it stands"       may hold line breaks; no \ $ `
 *     export NAME=...
 *
 * Quotes are taken off, as all readers do but docker run --env-file, which knows none.
 */
void dotenv_parse(struct harvest *harvest, const struct harvest_file *file, enum dotenv_reader reader);

#endif
