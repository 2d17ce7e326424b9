/*
 * The reading side of a connection.
 */
#ifndef COFFER_NET_READER_H
#define COFFER_NET_READER_H

#include "conn.h"

/* The peer has finished, or is gone: closes, after the record of a line that was cut off. */
void reader_lose(struct conn *conn);

/* There is something to read: reads it, and hands over the line if it is complete now. */
void reader_read(struct conn *conn);

/* Its next turn has come: hands over the next of the lines it holds, or reads on. */
void reader_go_on(struct conn *conn);

#endif
