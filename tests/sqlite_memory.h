/*
 * Memory for SQLite in builds with the address sanitizer, whose own allocator takes two thirds of the time of tests that
 * open thousands of stores.  The library itself is not instrumented; our reading of what it has freed is still found.
 */
#ifndef COFFER_TESTS_SQLITE_MEMORY_H
#define COFFER_TESTS_SQLITE_MEMORY_H

/* Before the first use of SQLite: later, and in other builds, it does nothing. */
void sqlite_memory_start(void);

#endif
