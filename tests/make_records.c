/*
 * Prints a chain of audit records as JSON lines, for tests of audit verify.   usage: make_records COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	struct record record = {
		.time_ms = 1700000000000, .kind = "env.fetch", .outcome = "ok", .uid = 1000, .gid = 1000};

	record.pid = 4711;
	record.repeats = 1;
	for (unsigned long i = 0; i < count; i++) {
		struct buf line = {0};
		struct json_writer w = json_writer(&line);

		record.seq++;
		record.time_ms++;
		memcpy(record.previous, record.hash, sizeof(record.previous));
		record_seal(&record);
		record_write(&w, &record);
		if (buf_failed(&line))
			return EXIT_FAILURE;
		printf("%.*s\n", (int)line.len, line.bytes);
		buf_clear(&line);
	}
	return EXIT_SUCCESS;
}
