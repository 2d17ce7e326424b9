/*
 * Keeps what an import found.  Files are read by read(2) into locked mappings of their own size and values
 * are spans of those, so no byte of a value is copied to the heap (P1).  Formats are left to the readers.
 */
#include "harvest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

void harvest_deinit(struct harvest *harvest)
{
	for (struct harvest_file *file = harvest->files; file != NULL;) {
		struct harvest_file *next = file->next;

		locked_unmap(&file->memory);
		free(file->path);
		free(file);
		file = next;
	}
	free(harvest->assignments);
	free(harvest->problems);
	*harvest = (struct harvest){0};
}

static enum err check_file(int fd, struct stat *out, const char **why_out)
{
	if (fstat(fd, out) != 0 || !S_ISREG(out->st_mode)) {
		*why_out = "not a regular file";
		return ERR_BAD_VALUE;
	}
	if (out->st_size > HARVEST_FILE_BYTES_MAX) {
		*why_out = "larger than 1 MiB";
		return ERR_TOO_LARGE;
	}
	return OK;
}

/* Exactly size bytes, as the file was when it was looked at. */
static enum err read_all(int fd, char *bytes, size_t size, const char **why_out)
{
	for (size_t len = 0; len < size;) {
		ssize_t got = read(fd, bytes + len, size - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			*why_out = got < 0 ? strerrordesc_np(errno) : "it changed while it was read";
			return ERR_BAD_VALUE;
		}
		len += (size_t)got;
	}
	return OK;
}

/*
 * A path that somebody typed may lead through a directory of the very user who is granted the integration;
 * a symbolic link there would choose which of root's files the vault hands to that user.
 */
static int open_without_links(const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static enum err read_file(struct harvest_file *file, const char *typed, const char **why_out)
{
	/* Not blocking: a FIFO must not hold us before it is seen to be one. */
	FD_AUTO fd = typed != NULL ? open_without_links(typed)
				   : open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info = {0};

	if (fd < 0 && errno == ELOOP) {
		*why_out = "the path you gave leads here through a symbolic link; if that is the file you "
			   "mean, give this path";
		return ERR_BAD_VALUE;
	}
	if (fd < 0) {
		*why_out = strerrordesc_np(errno);
		return ERR_NOT_FOUND;
	}

	enum err err = check_file(fd, &info, why_out);

	if (err != OK)
		return err;
	file->len = (size_t)info.st_size;
	file->is_open_to_all = (info.st_mode & S_IROTH) != 0;
	err = locked_map(file->len + 1, false, &file->memory);
	if (err != OK) {
		*why_out = "not enough memory may be locked (ulimit -l)";
		return err;
	}
	file->text = (char *)file->memory.bytes;
	return read_all(fd, file->text, file->len, why_out);
}

static enum err read_into(
	struct harvest *harvest, const char *path, const char *typed, struct harvest_file **out)
{
	struct harvest_file *file = calloc(1, sizeof(*file));
	char *copy = strdup(path);
	const char *why = NULL;

	if (file == NULL || copy == NULL) {
		free(file);
		free(copy);
		harvest->has_failed = true;
		return ERR_INTERNAL;
	}
	*file = (struct harvest_file){.path = copy, .next = harvest->files};
	harvest->files = file;

	enum err err = read_file(file, typed, &why);

	if (err != OK)
		harvest_refuse(harvest, NULL, 0, (struct place){.file = copy}, why);
	else
		*out = file;
	return err;
}

enum err harvest_read(struct harvest *harvest, const char *path, struct harvest_file **out)
{
	return read_into(harvest, path, NULL, out);
}

enum err harvest_read_typed(struct harvest *harvest, const char *typed, struct harvest_file **out)
{
	char *whole = realpath(typed, NULL);
	enum err err = read_into(harvest, whole == NULL ? typed : whole, typed, out);

	free(whole);
	return err;
}

static void copy_key(char out[KEY_BYTES_MAX + 1], const char *key, size_t key_len)
{
	/* What has not the shape of a name may be a piece of a value, which is never shown (P1). */
	if (key == NULL || text_check_key(key, key_len) == ERR_BAD_NAME)
		return;
	memcpy(out, key, key_len);
	out[key_len] = '\0';
}

static bool is_same_key(const struct assignment *assignment, const char *key, size_t key_len)
{
	return strlen(assignment->key) == key_len && memcmp(assignment->key, key, key_len) == 0;
}

/* Why coffer could not store it, or NULL. */
static const char *objection(const char *key, size_t key_len, const struct secret *value)
{
	enum err key_err = text_check_key(key, key_len);
	enum err value_err = text_check_value(value->bytes, value->len, true);

	if (key_err == ERR_RESERVED_NAME)
		return "a loader, a shell or an interpreter acts upon this name, so coffer refuses it";
	if (key_err != OK)
		return "not a variable name of at most 64 letters, digits and underscores";
	if (value->len == 0)
		return "the value is empty, and coffer stores no empty values";
	if (value_err == ERR_TOO_LARGE)
		return "the value is longer than 65535 bytes";
	return value_err == OK ? NULL : "the value holds a NUL byte";
}

void harvest_add(
	struct harvest *harvest, const char *key, size_t key_len, struct secret value, struct place place)
{
	const char *text = objection(key, key_len, &value);

	if (harvest->assignment_count == HARVEST_ASSIGNMENTS_MAX) {
		harvest_refuse(harvest, NULL, 0, place, "more assignments than an import takes");
		return;
	}
	if (text != NULL) {
		(value.len == 0 ? harvest_refuse_bare : harvest_refuse)(harvest, key, key_len, place, text);
		return;
	}

	size_t count = harvest->assignment_count;
	struct assignment *grown = reallocarray(harvest->assignments, count + 1, sizeof(*grown));

	if (grown == NULL) {
		harvest->has_failed = true;
		return;
	}
	harvest->assignments = grown;
	for (size_t i = 0; i < count; i++)
		grown[i].is_effective = grown[i].is_effective && !is_same_key(&grown[i], key, key_len);
	grown[count] = (struct assignment){.value = value, .place = place, .is_effective = true};
	copy_key(grown[count].key, key, key_len);
	harvest->assignment_count++;
}

void harvest_refuse(
	struct harvest *harvest, const char *key, size_t key_len, struct place place, const char *text)
{
	size_t count = harvest->problem_count;

	if (count == HARVEST_PROBLEMS_MAX)
		return;
	/* Of no key, so that no choice of keys can hide that something is left out here. */
	if (count == HARVEST_PROBLEMS_MAX - 1) {
		key = NULL;
		text = "this line and perhaps more are not taken: mend those above first";
	}

	struct problem *grown = reallocarray(harvest->problems, count + 1, sizeof(*grown));

	if (grown == NULL) {
		harvest->has_failed = true;
		return;
	}
	harvest->problems = grown;
	grown[count] = (struct problem){.place = place, .text = text};
	copy_key(grown[count].key, key, key_len);
	harvest->problem_count++;
}

void harvest_refuse_bare(
	struct harvest *harvest, const char *key, size_t key_len, struct place place, const char *text)
{
	size_t count = harvest->problem_count;

	harvest_refuse(harvest, key, key_len, place, text);
	if (harvest->problem_count > count)
		harvest->problems[count].has_no_value = true;
}

bool harvest_has(const struct harvest *harvest, const char *file, const char *key, size_t key_len)
{
	for (size_t i = 0; i < harvest->assignment_count; i++) {
		const struct assignment *assignment = &harvest->assignments[i];

		if (assignment->place.file == file && is_same_key(assignment, key, key_len))
			return true;
	}
	return false;
}

void harvest_reset(struct harvest *harvest)
{
	for (size_t i = 0; i < harvest->assignment_count; i++)
		harvest->assignments[i].is_effective = false;
}
