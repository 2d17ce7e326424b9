/*
 * Reads the text of /proc/PID/cgroup: which line counts, and which component of its path is the unit.
 *
 * Only the first component after the slices counts.  What is deeper may be named by whoever the subtree was
 * delegated to, a user or a container, so a borrowed name there gains nothing (P9).  In doubt there is no
 * unit; the reason is for people, never for a decision.  Reading the file at the right moment is peer.c's.
 */
#include "cgroup.h"

#include <stdbool.h>
#include <string.h>

#define REASON_UNREADABLE "the cgroup of the caller's process cannot be understood"
#define REASON_NO_LINE "the caller's process is in no cgroup of the service manager"
#define REASON_TWO_LINES "the caller's process has two cgroups in one hierarchy"
#define REASON_OUTSIDE "the caller's cgroup is outside of the daemon's view"
#define REASON_GONE "the caller's cgroup was removed"
#define REASON_NO_UNIT "the caller's cgroup belongs to no unit"
#define REASON_USER "the caller belongs to a user's own service manager"

struct span {
	const char *text;
	size_t len;
};

static bool has_prefix(struct span span, const char *prefix)
{
	size_t len = strlen(prefix);

	return span.len >= len && memcmp(span.text, prefix, len) == 0;
}

static bool has_suffix(struct span span, const char *suffix)
{
	size_t len = strlen(suffix);

	return span.len >= len && memcmp(span.text + span.len - len, suffix, len) == 0;
}

/* Cuts the bytes before separator off rest; the separator goes.  False when there is none. */
static bool cut(struct span *rest, char separator, struct span *out)
{
	const char *end = rest->len == 0 ? NULL : memchr(rest->text, separator, rest->len);

	if (end == NULL)
		return false;
	*out = (struct span){rest->text, (size_t)(end - rest->text)};
	rest->len -= out->len + 1;
	rest->text = end + 1;
	return true;
}

/* The paths of the two hierarchies that a service manager may keep its units in. */
struct paths {
	struct span unified; /* cgroup v2 */
	struct span named; /* cgroup v1, name=systemd */
	size_t unified_count;
	size_t named_count;
};

/* HIERARCHY:CONTROLLERS:PATH; the kernel lets no newline into the name of a cgroup. */
static bool read_line(struct span line, struct paths *paths)
{
	struct span hierarchy = {0};
	struct span controllers = {0};

	if (!cut(&line, ':', &hierarchy) || !cut(&line, ':', &controllers))
		return false;
	if (hierarchy.len == 1 && hierarchy.text[0] == '0' && controllers.len == 0) {
		paths->unified = line;
		paths->unified_count++;
	} else if (controllers.len == strlen("name=systemd") && has_prefix(controllers, "name=systemd")) {
		paths->named = line;
		paths->named_count++;
	}
	return true;
}

/* Where the kernel lists the unified hierarchy the service manager uses it, alone or next to v1. */
static const char *find_path(struct span text, struct span *path_out)
{
	struct paths paths = {0};
	struct span line = {0};

	if (text.len == 0 || memchr(text.text, '\0', text.len) != NULL)
		return REASON_UNREADABLE;
	while (cut(&text, '\n', &line))
		if (!read_line(line, &paths))
			return REASON_UNREADABLE;
	if (text.len > 0)
		return REASON_UNREADABLE; /* the last line was cut off */
	if (paths.unified_count > 1 || paths.named_count > 1)
		return REASON_TWO_LINES;
	if (paths.unified_count + paths.named_count == 0)
		return REASON_NO_LINE;
	*path_out = paths.unified_count == 1 ? paths.unified : paths.named;
	return NULL;
}

/* Judges the whole path, so that nothing odd in its depth can be overlooked. */
static const char *check_path(struct span path)
{
	struct span rest = path;
	struct span component = {0};

	if (!cut(&rest, '/', &component) || component.len > 0)
		return REASON_UNREADABLE;
	if (has_suffix(path, " (deleted)"))
		return REASON_GONE;
	while (rest.len > 0) {
		if (!cut(&rest, '/', &component)) {
			component = rest;
			rest.len = 0;
		} else if (rest.len == 0) {
			return REASON_UNREADABLE; /* ends in a slash */
		}
		if (component.len == 2 && memcmp(component.text, "..", 2) == 0)
			return REASON_OUTSIDE;
		if (component.len == 0 || (component.len == 1 && component.text[0] == '.'))
			return REASON_UNREADABLE;
	}
	return NULL;
}

/* systemd puts one '_' before a name that the kernel would take for one of its own files. */
static struct span next_name(struct span *path)
{
	struct span name = {0};

	path->text++; /* check_path saw the slash */
	path->len--;

	const char *slash = memchr(path->text, '/', path->len);

	name.text = path->text;
	name.len = slash == NULL ? path->len : (size_t)(slash - path->text);
	path->text += name.len;
	path->len -= name.len;
	if (name.len > 0 && name.text[0] == '_') {
		name.text++;
		name.len--;
	}
	return name;
}

/* There are no templates of slices. */
static bool is_slice(struct span name)
{
	return has_suffix(name, ".slice") && text_is_unit_name(name.text, name.len) &&
	       memchr(name.text, '@', name.len) == NULL;
}

/* *unit_out: the component that names the unit; *path_out: up to its end. */
static const char *find_unit(const char *text, size_t len, struct span *unit_out, struct span *path_out)
{
	struct span path = {0};
	struct span name = {0};
	const char *reason = find_path((struct span){text, len}, &path);

	if (reason == NULL)
		reason = check_path(path);
	if (reason != NULL)
		return reason;
	path_out->text = path.text;
	do
		name = next_name(&path);
	while (path.len > 0 && is_slice(name));

	if (has_suffix(name, ".slice") || !text_is_unit_name(name.text, name.len))
		return REASON_NO_UNIT;
	if (has_prefix(name, "user@") && has_suffix(name, ".service"))
		return REASON_USER; /* P9: all below is that user's to name */
	*unit_out = name;
	path_out->len = (size_t)(path.text - path_out->text);
	return NULL;
}

const char *cgroup_unit(const char *text, size_t len, char unit[UNIT_BYTES_MAX + 1])
{
	struct span name = {0};
	struct span path = {0};
	const char *reason = find_unit(text, len, &name, &path);

	if (reason != NULL)
		return reason;
	memcpy(unit, name.text, name.len);
	unit[name.len] = '\0';
	return NULL;
}

const char *cgroup_unit_path(
	const char *text, size_t len, char unit[UNIT_BYTES_MAX + 1], char *path_out, size_t cap)
{
	struct span name = {0};
	struct span path = {0};
	const char *reason = find_unit(text, len, &name, &path);

	if (reason != NULL)
		return reason;
	if (path.len >= cap)
		return REASON_UNREADABLE;
	memcpy(unit, name.text, name.len);
	unit[name.len] = '\0';
	memcpy(path_out, path.text, path.len);
	path_out[path.len] = '\0';
	return NULL;
}
