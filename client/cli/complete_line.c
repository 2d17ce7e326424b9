/*
 * Walks over a command line as args.c and run_options.c do, and forgives what is not right yet.
 */
#include "complete_line.h"

#include <string.h>

#include "commands.h"

/* What is wanted for a slot.  The words of WANT_WORD are in complete_words.c. */
static const struct {
	unsigned slot;
	enum wanted wanted;
} of_slots[] = {
	{FIELD_INTEGRATION, WANT_INTEGRATION},
	{FIELD_NAME, WANT_INTEGRATION},
	{FIELD_KEY, WANT_KEY},
	{FIELD_ONLY, WANT_KEYS},
	{FIELD_VERSION, WANT_VERSION},
	{FIELD_ID, WANT_OBJECT},
	{FIELD_ALERT, WANT_ALERT},
	{FIELD_RULE, WANT_CONDITION},
	{FIELD_USER, WANT_USER},
	{FIELD_TOUCHED_BY, WANT_USER},
	{FIELD_UNIT, WANT_UNIT},
	{FIELD_MANAGED_BY, WANT_MANAGER},
	{FIELD_OWNER, WANT_OWNER},
	{FIELD_WORKSPACE, WANT_WORKSPACE},
	{FIELD_ACCESS, WANT_WORD},
	{FIELD_ENVIRONMENT, WANT_WORD},
	{FIELD_STATE, WANT_WORD},
	{FIELD_OUTCOME, WANT_WORD},
	{FIELD_KIND, WANT_WORD},
	{FIELD_ROTATE_AFTER, WANT_WORD},
	{FIELD_REVIEW_AFTER, WANT_WORD},
	{SLOT_FORMAT, WANT_WORD},
	{SLOT_BY_USER, WANT_USER},
	{SLOT_AS, WANT_USER},
	{SLOT_UNIT, WANT_UNIT},
	{SLOT_FROM, WANT_OWNER},
	{SLOT_TO, WANT_OWNER},
	{SLOT_SOCKET, WANT_FILE},
	{SLOT_FILE, WANT_FILE},
	{SLOT_OUTPUT, WANT_FILE},
	{SLOT_TEXTFILE, WANT_FILE},
	{SLOT_HEAD, WANT_FILE},
	{SLOT_TOKEN_FILE, WANT_FILE},
	{SLOT_TEXTFILE, WANT_FILE},
	{SLOT_ROOT, WANT_DIRECTORY},
};

static const struct {
	const char *name;
	enum wanted wanted;
} of_run[] = {
	{"only", WANT_KEYS},
	{"optional", WANT_KEYS},
	{"file", WANT_KEYS},
	{"map", WANT_KEY},
	{"on-change", WANT_ACTION},
	{"token-file", WANT_FILE},
	{"socket", WANT_FILE},
};

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

static enum wanted of_slot(const struct complete_line *line, unsigned slot)
{
	/* The name of what is made is free. */
	if (slot == FIELD_NAME && line->command->kind == REQUEST_INTEGRATION_ADD)
		return WANT_NOTHING;
	for (size_t i = 0; i < sizeof(of_slots) / sizeof(of_slots[0]); i++)
		if (of_slots[i].slot == slot)
			return of_slots[i].wanted;
	return WANT_NOTHING;
}

/* ---- options ---- */

struct known {
	bool is_there;
	bool takes_next; /* its value is the next word, unless it stands behind a "=" */
	enum wanted wanted;
	unsigned slot;
};

static struct known find_of_run(const char *name, size_t len)
{
	static const struct {
		const char *name;
		const char *metavar;
	} options[] = {
#define RUN_OPTION(typed, metavar, setter, text) {typed, metavar},
#include "run_options.def"
#undef RUN_OPTION
	};
	struct known known = {0};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
			known = (struct known){.is_there = true, .takes_next = options[i].metavar != NULL};
	for (size_t i = 0; known.is_there && i < sizeof(of_run) / sizeof(of_run[0]); i++)
		if (strlen(of_run[i].name) == len && memcmp(of_run[i].name, name, len) == 0)
			known.wanted = of_run[i].wanted;
	return known;
}

/* word is --name or --name=value. */
static struct known find_option(const struct complete_line *line, const char *word)
{
	struct option options[SLOT_COUNT];
	size_t len = strcspn(word + 2, "=");

	if (line->is_run)
		return find_of_run(word + 2, len);

	size_t count = options_list(line->command, options);

	for (size_t i = 0; i < count; i++) {
		const struct option *option = &options[i];

		if (strlen(option->name) != len || memcmp(option->name, word + 2, len) != 0)
			continue;
		return (struct known){.is_there = true,
			.takes_next = option->metavar != NULL && !option->may_stand_alone,
			.wanted = line->command == NULL && option->slot != SLOT_SOCKET
					  ? WANT_NOTHING
					  : of_slot(line, option->slot),
			.slot = option->slot};
	}
	return (struct known){0};
}

static void note_option(struct complete_line *line, const char *word, const char *value)
{
	size_t len = strcspn(word + 2, "=");

	if (len == strlen("socket") && memcmp(word + 2, "socket", len) == 0)
		line->socket = value;
	if (len == strlen("integration") && memcmp(word + 2, "integration", len) == 0)
		line->integration = value;
	if (strcmp(word, "--user") == 0)
		line->is_user_vault = true;
}

/* Moves over the option at *at; true when its value is what is being typed. */
static bool pass_option(struct complete_line *line, size_t *at)
{
	const char *word = line->words[*at];
	struct known known = word[1] == '-' ? find_option(line, word) : (struct known){0};
	const char *equals = strchr(word, '=');

	if (known.is_there && known.takes_next && equals == NULL) {
		if (*at + 1 == line->count) {
			line->wanted = known.wanted;
			line->slot = known.slot;
			return true;
		}
		note_option(line, word, line->words[++*at]);
	} else if (known.is_there) {
		note_option(line, word, equals != NULL ? equals + 1 : "");
	}
	return false;
}

/* ---- the word that is being typed ---- */

static void want_value_of(struct complete_line *line)
{
	struct known known = find_option(line, line->typed);

	line->prefix_len = strcspn(line->typed, "=") + 1;
	line->wanted = known.takes_next ? known.wanted : WANT_NOTHING;
	line->slot = known.slot;
}

static void want_operand(struct complete_line *line, size_t index)
{
	if (line->is_run) {
		line->wanted = index == 0 ? WANT_GRANTED : WANT_NOTHING;
		return;
	}

	const struct operand *operand = &line->command->operands[index];

	line->slot = operand->need == NEED_NONE ? 0 : operand->slot;
	line->wanted = operand->need == NEED_NONE ? WANT_NOTHING : of_slot(line, operand->slot);
}

static void want_typed(struct complete_line *line, size_t index, bool has_ended)
{
	if (has_ended || line->typed[0] != '-')
		want_operand(line, index);
	else if (strncmp(line->typed, "--", 2) == 0 && strchr(line->typed, '=') != NULL)
		want_value_of(line);
	else
		line->wanted = WANT_OPTION;
}

/* ---- the words before it ---- */

static size_t pass_operand(struct complete_line *line, const char *word, size_t index)
{
	const struct operand *operand = line->is_run ? NULL : &line->command->operands[index];
	unsigned slot = operand == NULL ? FIELD_INTEGRATION : operand->slot;

	if (operand != NULL && operand->need == NEED_NONE)
		return index;
	if (slot == FIELD_INTEGRATION || slot == FIELD_NAME)
		line->integration = word;
	if (slot == FIELD_KEY)
		line->key = word;
	return index + (operand == NULL || (operand->need != NEED_SOME && operand->need != NEED_ANY));
}

static void read_arguments(struct complete_line *line, size_t at)
{
	bool starts_program = line->is_run || line->command->starts_program;
	bool has_ended = false;
	size_t index = 0;

	for (; at < line->count; at++) {
		const char *word = line->words[at];

		if (!has_ended && strcmp(word, "--") == 0 && starts_program) {
			line->wanted = WANT_PROGRAM;
			line->program_at = at + 1;
			return;
		}
		if (!has_ended && strcmp(word, "--") == 0)
			has_ended = true;
		else if (has_ended || !is_option(word))
			index = pass_operand(line, word, index);
		else if (pass_option(line, &at))
			return;
	}
	want_typed(line, index, has_ended);
}

static void read_words(struct complete_line *line, size_t at)
{
	char *const *words = line->words + at;
	size_t count = line->count - at;
	size_t used = 0;

	if (count > 0 && !line->is_help && strcmp(words[0], "help") == 0) {
		line->is_help = true;
		read_words(line, at + 1);
		return;
	}
	line->is_run = count > 0 && strcmp(words[0], "run") == 0;
	line->command = line->is_run || count == 0 ? NULL : commands_find(words, count, &used);
	if (line->is_help && (line->is_run || line->command != NULL))
		return;
	if (line->is_run || line->command != NULL) {
		read_arguments(line, at + (line->is_run ? 1 : used));
	} else if (count == 0 && !line->is_help && line->typed[0] == '-') {
		want_typed(line, 0, false);
	} else if (count == 0) {
		line->wanted = WANT_COMMAND;
	} else if (count == 1 && commands_has_noun(words[0])) {
		line->wanted = WANT_VERB;
		line->noun = words[0];
	}
}

/* Lists that are separated by commas are completed entry by entry. */
static void keep_entries(struct complete_line *line)
{
	const char *comma = line->wanted == WANT_KEYS ? strrchr(line->typed + line->prefix_len, ',') : NULL;

	if (comma != NULL)
		line->prefix_len = (size_t)(comma - line->typed) + 1;
}

void complete_line_read(char *const *words, size_t count, struct complete_line *out)
{
	size_t at = 0;

	*out = (struct complete_line){.words = words, .count = count - 1, .typed = words[count - 1]};
	while (at < out->count && is_option(words[at])) {
		if (pass_option(out, &at))
			return;
		at++;
	}
	read_words(out, at);
	keep_entries(out);
}

bool complete_line_has(const struct complete_line *line, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < line->count; i++) {
		const char *word = line->words[i];

		if (strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, len) == 0 &&
			(word[2 + len] == '\0' || word[2 + len] == '='))
			return true;
	}
	return false;
}
