/*
 * Standard error, with priority prefixes where it is the journal (sd-daemon(3)).  Names, never values; control
 * characters in names are escaped, so a line is one line.
 */
#ifndef COFFER_OPS_LOG_H
#define COFFER_OPS_LOG_H

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

void log_set_level(enum log_level most); /* default: info */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

/*
 * "what PATH: reason" for a later line, in a buffer of its own that is good until the next call; reason must
 * not be such a text itself.
 */
const char *log_about(const char *what, const char *path, const char *reason);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
