/*
 * A configuration file as a stream of settings: opened with suspicion, read strictly, and every error
 * with file and line.  What the settings mean is config.c's.
 */
#ifndef COFFER_OPS_CONFIG_FILE_H
#define COFFER_OPS_CONFIG_FILE_H

#include <stdbool.h>

#include "config.h"

struct config_file;

/* One "key = value" below "[section]" ("" before the first).  False after config_file_error: reading ends. */
typedef bool config_setting_fn(
	struct config_file *file, const char *section, const char *key, const char *value);

/* One "[section]", also an empty one.  False after config_file_error. */
typedef bool config_section_fn(struct config_file *file, const char *section);

struct config_file {
	const char *path;
	config_section_fn *on_section;
	config_setting_fn *on_setting;
	void *user;
	char *error_out; /* CONFIG_ERROR_BYTES */
	int line; /* of the setting; 0: the file as a whole */
	bool has_failed;
	/* the reader's own */
	void *stream;
	long bytes_read;
};

/* Calls on_section for every header and on_setting for every setting.  ERR_CONFIG: error_out tells. */
enum err config_file_read(struct config_file *file);

/* Notes the first error at the current line; later ones are ignored.  Returns false. */
__attribute__((format(printf, 2, 3))) bool config_file_error(
	struct config_file *file, const char *format, ...);

#endif
