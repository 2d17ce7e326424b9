/*
 * P9: anybody can bind any name in the abstract namespace, so the name is believed only from uid 0, whose processes
 * start units, and only where the kernel puts the peer into that unit's cgroup: a root service cannot ask in another
 * unit's name, nor a container's root in the name of a unit of the host.  init.scope is the service manager itself,
 * which asks again for a running unit (RefreshOnReload=credentials).  A user's manager uses names of the same form, with
 * the user's uid.  What a unit gets is core's.
 */
#include "claim.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define REASON_NOT_ROOT "only the system's service manager gets credentials here, and it is root"
#define REASON_ADDRESS "the peer has no address of a service manager: NUMBER/unit/UNIT/CREDENTIAL"
#define REASON_ELSEWHERE "the process that asks is not in that unit"

enum { NUMBER_DIGITS_MAX = 16, INFIX_LEN = 6 };

static const char infix[] = "/unit/";
static const char manager_unit[] = "init.scope";

static size_t count_digits(const char *text, size_t len)
{
	size_t count = 0;

	while (count < len && text[count] != '\0' && strchr("0123456789abcdef", text[count]) != NULL)
		count++;
	return count;
}

/* As systemd's credential_name_valid; literal, nothing is unescaped. */
static bool is_credential_name(const char *text, size_t len)
{
	if (len == 0 || len > CLAIM_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~' || text[i] == '/' || text[i] == ':')
			return false;
	return !(text[0] == '.' && (len == 1 || (len == 2 && text[1] == '.')));
}

bool claim_parse(const char *address, size_t len, struct claim *out)
{
	if (len == 0 || address[0] != '\0')
		return false;
	address++;
	len--;

	size_t digits = count_digits(address, len);

	if (digits == 0 || digits > NUMBER_DIGITS_MAX || len - digits < INFIX_LEN ||
		memcmp(address + digits, infix, INFIX_LEN) != 0)
		return false;
	address += digits + INFIX_LEN;
	len -= digits + INFIX_LEN;

	const char *slash = len == 0 ? NULL : memchr(address, '/', len);
	size_t unit_len = slash == NULL ? 0 : (size_t)(slash - address);
	size_t name_len = slash == NULL ? 0 : len - unit_len - 1;

	if (!text_is_unit_name(address, unit_len) || !is_credential_name(address + unit_len + 1, name_len))
		return false;
	*out = (struct claim){0};
	memcpy(out->unit, address, unit_len);
	memcpy(out->name, slash + 1, name_len);
	return true;
}

bool claim_read(int socket_fd, struct claim *out)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);

	if (getpeername(socket_fd, (struct sockaddr *)&address, &len) != 0 || len > sizeof(address) ||
		len < offsetof(struct sockaddr_un, sun_path) || address.sun_family != AF_UNIX)
		return false;
	return claim_parse(address.sun_path, len - offsetof(struct sockaddr_un, sun_path), out);
}

enum err claim_take(
	int socket_fd, const struct principal *principal, struct claim *out, const char **reason_out)
{
	char unit[UNIT_BYTES_MAX + 1] = "";
	bool is_readable = false;

	*out = (struct claim){0};
	is_readable = claim_read(socket_fd, out);
	*reason_out = NULL;
	if (principal->uid != 0)
		*reason_out = REASON_NOT_ROOT;
	else if (!is_readable)
		*reason_out = REASON_ADDRESS;
	else
		*reason_out = peer_find_unit(principal, unit);
	if (*reason_out == NULL && strcmp(unit, out->unit) != 0 && strcmp(unit, manager_unit) != 0)
		*reason_out = REASON_ELSEWHERE;
	return *reason_out == NULL ? OK : ERR_DENIED;
}
