/*
 * P8: whatever the bytes, a configuration file is refused with one line that names it, or gives settings
 * within their bounds.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"
#include "text.h"

static const char path[] = "/proc/self/fd/99";

#define LIMIT(name, value, least, most, text) \
	must(config->limits.name >= (least) && config->limits.name <= (most));
static void check_limits(const struct config *config)
{
#include "limits.def"
}
#undef LIMIT

static void check_config(const struct config *config)
{
	const char *const paths[] = {
		config->state_dir, config->anchor, config->socket, config->backup_dir, config->archive_dir};
	const struct config_names *const names[] = {&config->admin, &config->operator, & config->auditor };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		must(paths[i][0] == '/' && text_is_line(paths[i], strlen(paths[i])));
	must(strlen(config->socket) < 108);
	must((config->root_key_source == ROOT_KEY_FILE) == (config->root_key_path[0] == '/'));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t j = 0; j < names[i]->count; j++)
			must(names[i]->names[j][0] != '\0' && strpbrk(names[i]->names[j], ", \t\n") == NULL);
	check_limits(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CONFIG_ERROR_BYTES] = "";
	struct config *config = NULL;
	int fd = memfd_create("config", MFD_CLOEXEC);

	must(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, size) == (ssize_t)size);
	must(dup3(fd, 99, O_CLOEXEC) == 99 && close(fd) == 0);

	enum err err = config_load(path, &config, error);

	close(99);
	must(err == OK || err == ERR_CONFIG);
	must((err == OK) == (config != NULL));
	if (err == OK)
		check_config(config);
	else
		must(strncmp(error, path, strlen(path)) == 0 && text_is_line(error, strlen(error)));
	config_free(config);
	return 0;
}
