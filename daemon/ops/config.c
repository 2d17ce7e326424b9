/*
 * The settings: one table says which keys exist, what they may be and what they are when absent.
 *
 * Nothing is guessed: an unknown section or key, a key given twice, a value out of range is an error that
 * names the way out.  A setting that this version cannot honour is refused by name, so that nobody relies
 * on it.  How a file becomes lines is config_file.c's, what a value may be config_value.c's.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "config_file.h"
#include "config_value.h"
#include "escape.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SYSTEM_PATH "/etc/coffer/cofferd.conf"

enum { NAME_SHOWN_BYTES = 48 };

#define SIZE_OF(member) sizeof(((struct config *)NULL)->member)
#define VAULT(name, fallback, set) \
	{"vault", #name, fallback, set, offsetof(struct config, name), SIZE_OF(name), 0, 0},
#define ROLE(name, fallback) \
	{"roles", #name, fallback, config_set_names, offsetof(struct config, name), SIZE_OF(name), 0, 0},
#define RULE(section, name, fallback, member, least, most) \
	{section, name, fallback, config_set_limit, offsetof(struct config, rules.member), \
		SIZE_OF(rules.member), least, most},
#define LIMIT(name, value, least, most, text) \
	{"limits", #name, #value, config_set_limit, offsetof(struct config, limits.name), \
		SIZE_OF(limits.name), least, most},
/* clang-format off */
static const struct config_key keys[] = {
	VAULT(state_dir, "/var/lib/coffer", config_set_path)
	VAULT(anchor, "/var/lib/coffer-anchor", config_set_path)
	VAULT(socket, "/run/coffer/coffer.sock", config_set_socket)
	VAULT(backup_dir, "/var/lib/coffer-backup", config_set_path)
	VAULT(archive_dir, "/var/lib/coffer-archive", config_set_path)
	/* the source, and the path behind it */
	{"vault", "root_key", "credential", config_set_root_key, offsetof(struct config, root_key_source),
		SIZE_OF(root_key_source) + SIZE_OF(root_key_path), 0, 0},
	VAULT(allow_swap, "no", config_set_flag)
	ROLE(admin, "root")
	ROLE(operator, "%coffer-operators")
	ROLE(auditor, "%coffer-auditors")
	{"policy", "require", "", config_set_required, offsetof(struct config, rules.is_required), SIZE_OF(rules.is_required), 0, 0},
	{"approval", "require", "", config_set_approval, offsetof(struct config, rules.needs_approval), SIZE_OF(rules.needs_approval), 0, 0},
	RULE("approval", "expire_days", "7", approval_days, 1, 365)
	RULE("audit", "keep_days", "0", audit_keep_days, 0, 36500)
	RULE("audit", "max_mib", "0", audit_max_mib, 0, 1048576)
	RULE("alerts", "rotate_soon_days", "30", rotate_soon_days, 0, 3650)
	RULE("alerts", "unused_days", "90", unused_days, 1, 3650)
	RULE("alerts", "staged_days", "7", staged_days, 1, 3650)
#include "limits.def"
};
/* clang-format on */
#undef LIMIT
#undef RULE
#undef ROLE
#undef VAULT
#undef SIZE_OF

_Static_assert(offsetof(struct config, root_key_path) ==
		       offsetof(struct config, root_key_source) + sizeof(enum root_key_source),
	"root_key is compared as one piece of memory");

struct loading {
	struct config *config;
	int seen_at[COUNT_OF(keys)]; /* line; 0: absent */
};

/* Appends ", name" as far as it fits. */
static void list(char *out, size_t cap, const char *name)
{
	size_t len = strlen(out);

	snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : ", ", name);
}

static void list_sections(char *out, size_t cap)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (i == 0 || strcmp(keys[i].section, keys[i - 1].section) != 0)
			list(out, cap, keys[i].section);
}

static bool refuse_section(struct config_file *file, const char *section)
{
	char shown[NAME_SHOWN_BYTES] = "";
	char sections[96] = "";

	escape_text(section, shown, sizeof(shown));
	list_sections(sections, sizeof(sections));
	return config_file_error(file, "unknown section [%s]; known sections: %s", shown, sections);
}

static bool refuse_key(struct config_file *file, const char *section, const char *key)
{
	char shown[NAME_SHOWN_BYTES] = "";
	char known[CONFIG_ERROR_BYTES] = "";

	escape_text(key, shown, sizeof(shown));
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strcmp(keys[i].section, section) == 0)
			list(known, sizeof(known), keys[i].name);
	return config_file_error(file, "unknown key '%s' in [%s]; known keys: %s", shown, section, known);
}

static bool refuse_homeless(struct config_file *file)
{
	char sections[96] = "";

	list_sections(sections, sizeof(sections));
	return config_file_error(file, "a setting before the first [section]; known sections: %s", sections);
}

static bool handle_section(struct config_file *file, const char *section)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strcmp(keys[i].section, section) == 0)
			return true;
	return refuse_section(file, section);
}

static bool handle_setting(struct config_file *file, const char *section, const char *key, const char *value)
{
	struct loading *loading = file->user;

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, key) != 0)
			continue;
		if (loading->seen_at[i] != 0)
			return config_file_error(file, "[%s] %s was already set in line %d", section, key,
				loading->seen_at[i]);
		loading->seen_at[i] = file->line;
		return keys[i].set(file, loading->config, &keys[i], value);
	}
	return section[0] == '\0' ? refuse_homeless(file) : refuse_key(file, section, key);
}

static bool set_absent(struct config_file *file)
{
	struct loading *loading = file->user;

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (loading->seen_at[i] == 0 &&
			!keys[i].set(file, loading->config, &keys[i], keys[i].fallback))
			return false;
	return true;
}

/* The line that sets this key, or else the other one; 0 when neither is set. */
static int line_of(const struct loading *loading, const char *name, const char *other_name)
{
	const char *const names[] = {name, other_name};

	for (size_t n = 0; n < COUNT_OF(names); n++)
		for (size_t i = 0; i < COUNT_OF(keys); i++)
			if (loading->seen_at[i] != 0 && strcmp(keys[i].name, names[n]) == 0)
				return loading->seen_at[i];
	return 0;
}

/* What two settings must be to each other. */
static bool check_together(struct config_file *file, const struct config *config)
{
	const struct loading *loading = file->user;
	size_t state_len = strlen(config->state_dir);
	const struct config_limits *limits = &config->limits;

	/* P7: whoever puts back an old state directory must not put back its anchor with it. */
	file->line = line_of(loading, "anchor", "state_dir");
	if (strncmp(config->anchor, config->state_dir, state_len) == 0 &&
		(config->anchor[state_len] == '/' || config->anchor[state_len] == '\0'))
		return config_file_error(
			file, "[vault] anchor must not lie in state_dir, or both would roll back together");
	file->line = line_of(loading, "connections_reserved", "connections");
	if (limits->connections_reserved >= limits->connections)
		return config_file_error(file, "[limits] connections_reserved must be less than connections");
	file->line = line_of(loading, "line_bytes_stranger", "line_bytes");
	if (limits->line_bytes_stranger > limits->line_bytes)
		return config_file_error(
			file, "[limits] line_bytes_stranger must not be more than line_bytes");
	return true;
}

enum err config_load(const char *path, struct config **out, char error_out[CONFIG_ERROR_BYTES])
{
	struct loading loading = {.config = calloc(1, sizeof(struct config))};
	struct config_file file = {.path = path,
		.on_section = handle_section,
		.on_setting = handle_setting,
		.user = &loading,
		.error_out = error_out};

	if (loading.config == NULL) {
		config_file_error(&file, "out of memory");
		return ERR_CONFIG;
	}
	if (config_file_read(&file) != OK || !set_absent(&file) || !check_together(&file, loading.config)) {
		config_free(loading.config);
		return ERR_CONFIG;
	}
	*out = loading.config;
	return OK;
}

static void free_names(struct config_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	free_names(&config->admin);
	free_names(&config->operator);
	free_names(&config->auditor);
	free(config);
}

bool config_vault_differs(
	const struct config *config, const struct config *other, char names_out[CONFIG_ERROR_BYTES])
{
	names_out[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strcmp(keys[i].section, "vault") == 0 &&
			memcmp((const char *)config + keys[i].offset, (const char *)other + keys[i].offset,
				keys[i].size) != 0)
			list(names_out, CONFIG_ERROR_BYTES, keys[i].name);
	return names_out[0] != '\0';
}

enum err config_default_path(bool user, char out[CONFIG_PATH_BYTES])
{
	const char *config_home = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char path[CONFIG_PATH_BYTES] = "";
	int len = 0;

	/* The specification of the XDG directories has relative paths ignored. */
	if (!user)
		len = snprintf(path, sizeof(path), "%s", SYSTEM_PATH);
	else if (config_home != NULL && config_home[0] == '/')
		len = snprintf(path, sizeof(path), "%s/coffer/cofferd.conf", config_home);
	else if (home != NULL && home[0] == '/')
		len = snprintf(path, sizeof(path), "%s/.config/coffer/cofferd.conf", home);
	if (len <= 0 || len >= (int)sizeof(path))
		return ERR_CONFIG;
	memcpy(out, path, (size_t)len + 1);
	return OK;
}

/* Asked once: nobody raises it in a running daemon, and its sandbox does not let it ask again. */
static int64_t descriptors(void)
{
	static int64_t most;
	struct rlimit files = {0};

	if (most == 0)
		most = getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > INT32_MAX
			       ? INT32_MAX
			       : (int64_t)files.rlim_cur;
	return most;
}

struct config_limits config_within_descriptors(const struct config_limits *limits)
{
	enum { KEPT = 64, EACH_CONNECTION = 2, SHARE_OF_HOLDERS = 3 };
	struct config_limits allowed = *limits;
	int64_t room = descriptors() - KEPT;

	if (allowed.holders > room / SHARE_OF_HOLDERS)
		allowed.holders = room / SHARE_OF_HOLDERS;
	if (allowed.connections > (room - allowed.holders) / EACH_CONNECTION)
		allowed.connections = (room - allowed.holders) / EACH_CONNECTION;
	if (allowed.connections < 1)
		allowed.connections = 1;
	if (allowed.holders < 1)
		allowed.holders = 1;
	return allowed;
}
