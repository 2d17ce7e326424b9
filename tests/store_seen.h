/*
 * What a visitor of rows was shown, for a test to compare.
 */
#ifndef COFFER_TESTS_STORE_SEEN_H
#define COFFER_TESTS_STORE_SEEN_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct seen {
	size_t count;
	char text[4096];
};

__attribute__((format(printf, 2, 3))) static inline void see(struct seen *seen, const char *format, ...)
{
	size_t len = strlen(seen->text);
	va_list args;

	seen->count++;
	va_start(args, format);
	vsnprintf(seen->text + len, sizeof(seen->text) - len, format, args);
	va_end(args);
}

#endif
