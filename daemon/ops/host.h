/*
 * The name of this host, fit for a record, a reply and a sheet.
 */
#ifndef COFFER_OPS_HOST_H
#define COFFER_OPS_HOST_H

enum { HOST_NAME_BYTES = 65 }; /* with its NUL; the kernel keeps 64 */

/* "-" when it has none. */
void host_name(char out[HOST_NAME_BYTES]);

/* Makes any bytes a name: what is not a letter, a digit or one of ".-_" becomes "_", and nothing becomes "-". */
void host_name_clean(char name[HOST_NAME_BYTES]);

#endif
