/*
 * P9: whatever a cgroup file says, the answer is no unit, or a valid name that is a component of a path in
 * it and no user's own manager.
 */
#include <string.h>

#include "cgroup.h"
#include "fuzz.h"

/* "/NAME" or "/_NAME", ended by a slash or the line. */
static bool is_component(const char *text, size_t size, const char *unit)
{
	size_t len = strlen(unit);

	for (size_t i = 1; i + len < size; i++) {
		bool is_begin = text[i - 1] == '/' || (i > 1 && text[i - 1] == '_' && text[i - 2] == '/');

		if (is_begin && memcmp(text + i, unit, len) == 0 &&
			(text[i + len] == '/' || text[i + len] == '\n'))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char unit[UNIT_BYTES_MAX + 1] = "";
	const char *reason = cgroup_unit((const char *)data, size, unit);
	size_t len = strlen(unit);

	must((reason == NULL) == (len > 0));
	if (reason != NULL)
		return 0;
	must(text_is_unit_name(unit, len));
	must(strcmp(unit + len - 6, ".slice") != 0);
	must(strncmp(unit, "user@", 5) != 0 || strcmp(unit + len - 8, ".service") != 0);
	must(data[size - 1] == '\n' && memchr(data, '\0', size) == NULL);
	must(is_component((const char *)data, size, unit));
	return 0;
}
