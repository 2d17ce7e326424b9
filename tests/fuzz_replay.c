/*
 * Runs one fuzz target over every file of the directories that are given: old findings stay fixed without a
 * fuzzer.  Each input lies in memory of exactly its size, so that a sanitizer sees the first byte too many.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size);

	if (file == NULL || (size > 0 && data == NULL) || fread(data, 1, size, file) != size)
		fail(path);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static size_t replay_directory(const char *directory)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, NULL, alphasort);
	size_t replayed = 0;

	if (count < 0)
		fail(directory);
	for (int i = 0; i < count; i++) {
		char path[4096] = {0};
		struct stat status = {0};

		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (stat(path, &status) != 0)
			fail(path);
		if (S_ISREG(status.st_mode)) {
			printf("%s\n", path);
			fflush(stdout);
			replay_file(path, (size_t)status.st_size);
			replayed++;
		}
		free(entries[i]);
	}
	free(entries);
	return replayed;
}

int main(int argc, char **argv)
{
	size_t replayed = 0;

	for (int i = 1; i < argc; i++)
		replayed += replay_directory(argv[i]);
	printf("%zu inputs\n", replayed);
	return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
