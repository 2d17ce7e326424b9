/*
 * The file of a listening socket: whose it is, and its removal.
 */
#ifndef COFFER_NET_LISTEN_H
#define COFFER_NET_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

struct listen_file {
	bool is_ours; /* made by this process, not handed over by a service manager */
	dev_t device;
	ino_t inode;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
};

/* Remembers which file the listening socket fd has. */
void listen_file_find(int fd, struct listen_file *out);

/* Removes the file if this process made it and it is still the same; once. */
void listen_file_remove(struct listen_file *file);

/* True when fd is a listening Unix stream socket. */
bool listen_is_usable(int fd);

#endif
