/*
 * The kernel takes any bytes for a host's name; what goes out from here harms no line, terminal or sheet.
 */
#include "host.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '-' || c == '_';
}

void host_name_clean(char name[HOST_NAME_BYTES])
{
	for (char *c = name; *c != '\0'; c++)
		if (!is_plain(*c))
			*c = '_';
	if (name[0] == '\0')
		memcpy(name, "-", 2);
}

void host_name(char out[HOST_NAME_BYTES])
{
	memset(out, 0, HOST_NAME_BYTES);
	if (gethostname(out, HOST_NAME_BYTES - 1) != 0)
		out[0] = '\0';
	host_name_clean(out);
}
