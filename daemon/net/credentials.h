/*
 * Reading with the kernel's word on who wrote the bytes: for kernels without SO_PEERPIDFD, where
 * session.prove needs it (P9).
 */
#ifndef COFFER_NET_CREDENTIALS_H
#define COFFER_NET_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err.h"

struct credentials {
	bool are_known; /* false: none came, or the bytes have more than one writer */
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* From now on the kernel adds the writer's credentials to what fd receives. */
enum err credentials_ask(int fd);

/* As recv(2) without flags, with the writer of these bytes.  Descriptors that come along are closed. */
ssize_t credentials_receive(int fd, void *bytes, size_t len, struct credentials *out);

/* The one writer of bytes that came in two reads. */
struct credentials credentials_of_both(struct credentials first, struct credentials second);

#endif
