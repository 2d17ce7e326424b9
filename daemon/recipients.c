/*
 * Recovery keys made elsewhere: cofferd recovery-key makes a pair anywhere, and cofferd init takes the public
 * halves, so that a host can be set up unattended and nothing secret appears on it (P1).
 */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "locked.h"

#define LOCKED_AUTO __attribute__((cleanup(locked_unmap))) struct locked

/* Not through stdio, which would keep a copy. */
bool setup_write_line(const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return write(STDOUT_FILENO, "\n", 1) == 1;
}

/* The text is not repeated: it may be the secret one. */
static const char *what_is_wrong_with(const char *text)
{
	if (strncmp(text, "coffer-recovery-", strlen("coffer-recovery-")) == 0)
		return "--recovery-recipient takes the public text, coffer-recipient-1-…; what was given "
		       "begins like "
		       "a recovery key, which is secret: it is in the shell's history now, so make another "
		       "pair "
		       "with cofferd recovery-key";
	return "--recovery-recipient: not a recipient that cofferd recovery-key printed "
	       "(coffer-recipient-1-…), or not all of it";
}

enum err setup_add_recipient(struct setup_recipients *recipients, const char *text, const char **reason_out)
{
	struct recovery_recipient recipient = {0};

	if (recipients->count == SETUP_RECIPIENTS_MAX) {
		*reason_out = "--recovery-recipient: at most 8 recipients";
		return ERR_TOO_LARGE;
	}
	if (recovery_recipient_parse(text, strlen(text), &recipient) != OK) {
		*reason_out = what_is_wrong_with(text);
		return ERR_BAD_VALUE;
	}
	for (size_t i = 0; i < recipients->count; i++) {
		if (strcmp(recipients->key[i].fingerprint, recipient.fingerprint) == 0) {
			*reason_out = "--recovery-recipient: the same recipient twice";
			return ERR_BAD_VALUE;
		}
	}
	recipients->key[recipients->count++] = recipient;
	return OK;
}

int setup_recovery_key(void)
{
	struct recovery_recipient recipient = {0};
	char public_text[RECOVERY_TEXT_BYTES] = "";
	LOCKED_AUTO secret = {0};
	enum err err = locked_map(RECOVERY_TEXT_BYTES, false, &secret);

	if (err != OK)
		return setup_fail(err, "no locked memory for the recovery key");
	err = recovery_generate(&recipient, (char *)secret.bytes);
	if (err != OK)
		return setup_fail(err, NULL);
	recovery_recipient_format(&recipient, public_text);
	printf("The recipient, not secret, for any number of hosts (cofferd init --recovery-recipient):\n\n  "
	       "%s\n\n"
	       "The recovery key that belongs to it, shown this once.  Write it down and lock it away from\n"
	       "those hosts; with it, cofferd recover makes the root key of each of them anew:\n\n  ",
		public_text);
	if (fflush(stdout) != 0 || ferror(stdout) || !setup_write_line((const char *)secret.bytes))
		return setup_fail(ERR_STORAGE, "the recovery key could not be printed: use none of it");
	return 0;
}
