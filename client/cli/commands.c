/*
 * The table of commands and looking things up in it.  Which options a command has is left to options.c, and
 * what it does to the files of the nouns.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "alerts.h"
#include "audit_archive.h"
#include "audit_export.h"
#include "audit_verify.h"
#include "apply.h"
#include "audits.h"
#include "changes.h"
#include "cli.h"
#include "doctor.h"
#include "grants.h"
#include "history.h"
#include "holder_lines.h"
#include "import.h"
#include "import_send.h"
#include "integrations.h"
#include "report.h"
#include "requests.h"
#include "revoke.h"
#include "rotate.h"
#include "secret_put.h"
#include "secret_test.h"
#include "secrets.h"
#include "session.h"
#include "status.h"
#include "tokens.h"
#include "usage.h"
#include "vault_metrics.h"

static const struct command commands[] = {
	{
		.words = "status",
		.kind = REQUEST_STATUS,
		.options = {SLOT_WATCH},
		.run = status_run,
		.print = status_print,
		.text = "the daemon, its store and counts at a glance",
		.example = "coffer status",
	},
	{
		.words = "whoami",
		.kind = REQUEST_WHOAMI,
		.run = cli_request,
		.print = session_print_whoami,
		.text = "how the daemon sees you: user, groups, unit, roles, what you may fetch",
		.example = "coffer whoami",
	},
	{
		.words = "integration add",
		.kind = REQUEST_INTEGRATION_ADD,
		.operands = {{FIELD_NAME, NEED_ONE}},
		.run = cli_request,
		.print = integrations_print_one,
		.text = "register an integration",
		.example = "coffer integration add finance/warehouse-sync --title 'Warehouse sync' \\\n"
			   "      --description 'Copies invoices to the warehouse every night' \\\n"
			   "      --owner 'Ada Lovelace' --contact ada@example.org",
	},
	{
		.words = "integration list",
		.kind = REQUEST_INTEGRATION_LIST,
		.run = cli_request,
		.print = integrations_print_list,
		.text = "list integrations",
		.example = "coffer integration list --workspace finance",
	},
	{
		.words = "integration show",
		.kind = REQUEST_INTEGRATION_SHOW,
		.operands = {{FIELD_NAME, NEED_ONE}},
		.options = {SLOT_HISTORY, FIELD_LIMIT},
		.run = changes_show,
		.print = changes_print_shown,
		.text = "all about one integration: its record, grants and secrets, or every change of them",
		.example = "coffer integration show finance/warehouse-sync --history",
	},
	{
		.words = "integration edit",
		.kind = REQUEST_INTEGRATION_EDIT,
		.operands = {{FIELD_NAME, NEED_ONE}},
		.run = cli_request,
		.print = integrations_print_one,
		.text = "change what is recorded about an integration",
		.example = "coffer integration edit finance/warehouse-sync --rotate-after 90d --labels "
			   "team=data",
	},
	{
		.words = "integration transfer",
		.kind = REQUEST_COUNT,
		.operands = {{FIELD_NAME, NEED_MAYBE}},
		.options = {FIELD_OWNER, SLOT_FROM, SLOT_TO, FIELD_CONTACT, FIELD_BACKUP_CONTACT,
			FIELD_REASON},
		.run = changes_transfer,
		.print = changes_print_transferred,
		.text = "hand an integration, or everything of a person, to another owner",
		.example = "coffer integration transfer --from 'Ada Lovelace' --to 'Grace Hopper' \\\n"
			   "      --contact grace@example.org --reason 'Ada has left'",
	},
	{
		.words = "integration review",
		.kind = REQUEST_INTEGRATION_REVIEW,
		.operands = {{FIELD_NAME, NEED_ONE}},
		.run = cli_request,
		.print = changes_print_review,
		.text = "say that its record was read and is true",
		.example =
			"coffer integration review finance/warehouse-sync --note 'owner and scope confirmed'",
	},
	{
		.words = "integration suspend",
		.kind = REQUEST_INTEGRATION_SUSPEND,
		.operands = {{FIELD_NAME, NEED_ONE}},
		.run = cli_request,
		.print = changes_print_state,
		.text = "refuse all fetches for now, and keep everything",
		.example = "coffer integration suspend finance/warehouse-sync --reason 'exposed in a log?'",
	},
	{
		.words = "integration resume",
		.kind = REQUEST_INTEGRATION_RESUME,
		.operands = {{FIELD_NAME, NEED_ONE}},
		.run = cli_request,
		.print = changes_print_state,
		.text = "let a suspended integration go on",
		.example = "coffer integration resume finance/warehouse-sync",
	},
	{
		.words = "integration retire",
		.kind = REQUEST_INTEGRATION_RETIRE,
		.operands = {{FIELD_NAME, NEED_ONE}},
		.run = cli_request,
		.print = changes_print_retired,
		.text = "end it for good: grants at once, values as soon as nobody holds them; its records "
			"stay",
		.example = "coffer integration retire finance/warehouse-sync --reason 'replaced by the new "
			   "sync'",
	},
	{
		.words = "grant add",
		.kind = REQUEST_GRANT_ADD,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_RULE, NEED_SOME}},
		.run = cli_request,
		.print = grants_print_added,
		.text = "let callers that meet all of some conditions fetch the integration's credentials",
		.example = "coffer grant add finance/warehouse-sync user=etl unit=etl.service",
	},
	{
		.words = "grant list",
		.kind = REQUEST_GRANT_LIST,
		.operands = {{FIELD_INTEGRATION, NEED_MAYBE}},
		.run = cli_request,
		.print = grants_print_list,
		.text = "list grants",
		.example = "coffer grant list finance/warehouse-sync",
	},
	{
		.words = "grant explain",
		.kind = REQUEST_GRANT_EXPLAIN,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}},
		.run = cli_request,
		.print = grants_print_explained,
		.text = "which grant would let you, or a user in a unit, fetch, and which condition fails",
		.example = "coffer grant explain finance/warehouse-sync --user etl --unit etl.service",
	},
	{
		.words = "grant remove",
		.kind = REQUEST_GRANT_REMOVE,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_ID, NEED_ONE}},
		.run = cli_request,
		.print = grants_print_removed,
		.text = "take a grant back",
		.example = "coffer grant remove finance/warehouse-sync 7",
	},
	{
		.words = "token create",
		.kind = REQUEST_TOKEN_CREATE,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_TOKEN_NAME, NEED_ONE}},
		.run = tokens_create,
		.text = "make an access token for a user, which a grant with the condition token asks for, "
			"and print it once; where grants are locked, again when it was approved",
		.example = "coffer token create finance/warehouse-sync airflow-2026 --user etl \\\n"
			   "      --description 'jobs of the scheduler'",
	},
	{
		.words = "token list",
		.kind = REQUEST_TOKEN_LIST,
		.operands = {{FIELD_INTEGRATION, NEED_MAYBE}},
		.run = cli_request,
		.print = tokens_print_list,
		.text = "list access tokens: whose they are, their state and last use (never the tokens)",
		.example = "coffer token list finance/warehouse-sync",
	},
	{
		.words = "token revoke",
		.kind = REQUEST_TOKEN_REVOKE,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_ID, NEED_ONE}},
		.run = cli_request,
		.print = tokens_print_revoked,
		.text = "revoke an access token, at once and for open connections, too",
		.example = "coffer token revoke finance/warehouse-sync 3",
	},
	{
		.words = "secret put",
		.kind = REQUEST_SECRET_PUT,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE}},
		.options = {SLOT_EXACT, SLOT_GENERATE, SLOT_TO_STDIN_OF},
		.run = secret_put_run,
		.print = secrets_print_version,
		.text = "store a value: from standard input, asked for without showing it, or made here",
		.example = "pwgen -s 40 1 | coffer secret put finance/warehouse-sync PGPASSWORD --note "
			   "'first one'",
	},
	{
		.words = "secret edit",
		.kind = REQUEST_SECRET_EDIT,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE}},
		.run = cli_request,
		.print = secrets_print_edited,
		.text = "change what is recorded about a secret",
		.example = "coffer secret edit finance/warehouse-sync PGPASSWORD --access read-only",
	},
	{
		.words = "secret list",
		.kind = REQUEST_SECRET_LIST,
		.operands = {{FIELD_INTEGRATION, NEED_MAYBE}},
		.run = secrets_list,
		.print = secrets_print_list,
		.text = "list the secrets of an integration, or what a user has put or fetched",
		.example = "coffer secret list finance/warehouse-sync",
	},
	{
		.words = "secret show",
		.kind = REQUEST_SECRET_SHOW,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE}},
		.run = cli_request,
		.print = secrets_print_one,
		.text = "the versions of one secret and their tests (never values)",
		.example = "coffer secret show finance/warehouse-sync PGPASSWORD",
	},
	{
		.words = "secret test",
		.kind = REQUEST_COUNT,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE}},
		.options = {SLOT_AS, SLOT_TIME_LIMIT, SLOT_TOKEN_FILE, SLOT_TOKEN_FD},
		.starts_program = true,
		.run = secret_test_run,
		.text = "run a command (default: the integration's test) with what is staged, and record its "
			"verdict",
		.example = "coffer secret test finance/warehouse-sync PGPASSWORD -- psql -c 'select 1'",
	},
	{
		.words = "secret promote",
		.kind = REQUEST_SECRET_PROMOTE,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE},
			{FIELD_VERSION, NEED_MAYBE}},
		.run = cli_request,
		.print = secrets_print_version,
		.text = "make the staged version, which has passed its test, the current one",
		.example = "coffer secret promote finance/warehouse-sync PGPASSWORD",
	},
	{
		.words = "secret rollback",
		.kind = REQUEST_SECRET_ROLLBACK,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE},
			{FIELD_VERSION, NEED_MAYBE}},
		.run = cli_request,
		.print = secrets_print_version,
		.text = "make a draining version the current one again",
		.example = "coffer secret rollback finance/warehouse-sync PGPASSWORD",
	},
	{
		.words = "secret revoke",
		.kind = REQUEST_SECRET_REVOKE,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE}, {FIELD_VERSION, NEED_ONE}},
		.options = {SLOT_WHEN_DRAINED, SLOT_TIMEOUT},
		.run = revoke_run,
		.print = revoke_print,
		.text = "destroy one version, and say where it must be deleted as well",
		.example = "coffer secret revoke finance/warehouse-sync PGPASSWORD 2 --when-drained",
	},
	{
		.words = "secret remove",
		.kind = REQUEST_SECRET_REMOVE,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE}},
		.run = cli_request,
		.print = secrets_print_removed,
		.text = "remove a secret whose versions are all revoked",
		.example = "coffer secret remove finance/warehouse-sync PGPASSWORD",
	},
	{
		.words = "rotate",
		.kind = REQUEST_COUNT,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {FIELD_KEY, NEED_ONE}},
		.options = {FIELD_TEST, SLOT_GENERATE, SLOT_TO_STDIN_OF, FIELD_ISSUER_REF, FIELD_NOTE,
			FIELD_EXPIRES_AT, FIELD_MULTILINE, SLOT_EXACT, SLOT_AS, SLOT_TIME_LIMIT,
			SLOT_TOKEN_FILE, SLOT_TOKEN_FD, SLOT_TIMEOUT, SLOT_RESUME},
		.takes_value = true,
		.run = rotate_run,
		.text = "replace a value without downtime: stage, test, promote, wait until the old one is "
			"free, "
			"revoke",
		.example = "coffer rotate finance/warehouse-sync PGPASSWORD --test 'psql -c \"select 1\"' "
			   "--issuer-ref key-42",
	},
	{
		.words = "holders",
		.kind = REQUEST_HOLDER_LIST,
		.operands = {{FIELD_INTEGRATION, NEED_MAYBE}, {FIELD_KEY, NEED_MAYBE}},
		.run = cli_request,
		.print = holder_lines_print,
		.text = "which live processes and units may hold which version",
		.example = "coffer holders finance/warehouse-sync PGPASSWORD",
	},
	{
		.words = "history",
		.kind = REQUEST_RUN_LIST,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}},
		.run = cli_request,
		.print = history_print,
		.text = "the runs of an integration: when, who, with which versions, and how they ended",
		.example = "coffer history finance/warehouse-sync --days 7",
	},
	{
		.words = "usage",
		.kind = REQUEST_USAGE_SHOW,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}},
		.run = cli_request,
		.print = usage_print,
		.text = "how often an integration was fetched and refused, day by day, and by whom",
		.example = "coffer usage finance/warehouse-sync --days 90",
	},
	{
		.words = "alerts",
		.kind = REQUEST_ALERT_LIST,
		.options = {SLOT_ALL},
		.run = alerts_run,
		.print = alerts_print,
		.text = "what needs attention, most urgent first; the exit status is 1 if anything does",
		.example = "coffer alerts",
	},
	{
		.words = "alert ack",
		.kind = REQUEST_ALERT_ACK,
		.operands = {{FIELD_ALERT, NEED_ONE}},
		.run = alerts_ack,
		.print = alerts_print_acked,
		.text = "an alert has been seen: quiet until a time, or for a while (30d), or until it "
			"begins anew",
		.example = "coffer alert ack run_missed:finance/warehouse-sync --until 30d --note 'year-end "
			   "closing'",
	},
	{
		.words = "doctor",
		.kind = REQUEST_COUNT,
		.options = {SLOT_EXCEPT, SLOT_ROOT},
		.run = doctor_run,
		.print = doctor_print,
		.text = "what on this host weakens the vault's promises, and how to mend it; the exit status "
			"is 1 "
			"if there is a problem",
		.example = "coffer doctor --except swap --except login_shell",
	},
	{
		.words = "metrics",
		.kind = REQUEST_VAULT_METRICS,
		.options = {SLOT_TEXTFILE},
		.run = metrics_run,
		.text = "the vault in numbers for a monitoring system, as OpenMetrics text",
		.example = "coffer metrics --textfile /var/lib/prometheus/node-exporter/coffer.prom",
	},
	{
		.words = "request list",
		.kind = REQUEST_APPROVAL_LIST,
		.operands = {{FIELD_INTEGRATION, NEED_MAYBE}},
		.run = cli_request,
		.print = requests_print_list,
		.text = "what waits for a second person, and what became of it",
		.example = "coffer request list --state pending",
	},
	{
		.words = "request approve",
		.kind = REQUEST_APPROVAL_APPROVE,
		.operands = {{FIELD_ID, NEED_ONE}},
		.run = cli_request,
		.print = requests_print_approved,
		.text = "approve what another person asked for; it is done at once, as they asked for it",
		.example = "coffer request approve 7 --note 'as agreed in the change meeting'",
	},
	{
		.words = "request reject",
		.kind = REQUEST_APPROVAL_REJECT,
		.operands = {{FIELD_ID, NEED_ONE}},
		.run = cli_request,
		.print = requests_print_rejected,
		.text = "reject what another person asked for, or take back what you asked for",
		.example = "coffer request reject 7 --note 'wrong user'",
	},
	{
		.words = "apply",
		.kind = REQUEST_COUNT,
		.operands = {{SLOT_FILE, NEED_ONE}},
		.options = {FIELD_DRY_RUN, SLOT_PRUNE},
		.run = apply_run,
		.text = "make integrations and grants what a file says they are, together or not at all",
		.example = "coffer apply integrations.ini --dry-run",
	},
	{
		.words = "import",
		.kind = REQUEST_COUNT,
		.operands = {{FIELD_INTEGRATION, NEED_ONE}, {SLOT_FILE, NEED_MAYBE}},
		.options = {SLOT_UNIT, FIELD_ONLY, SLOT_DRY_RUN, SLOT_ROOT},
		.run = import_run,
		.print = import_print,
		.text = "take over the credentials of a .env file or of a service, and say what to delete",
		.example =
			"coffer import finance/warehouse-sync --unit etl.service --only PGPASSWORD --dry-run",
	},
	{
		.words = "audit list",
		.kind = REQUEST_AUDIT_LIST,
		.options = {SLOT_BY_USER},
		.run = audits_list,
		.print = audits_print_list,
		.text = "list audit records: the newest 100 (--limit), or from the oldest with --after or a "
			"filter",
		.example =
			"coffer audit list --since 7d --integration finance/warehouse-sync --outcome refused",
	},
	{
		.words = "audit follow",
		.kind = REQUEST_COUNT,
		.options = {FIELD_AFTER, FIELD_SINCE, FIELD_UNTIL, FIELD_UID, SLOT_BY_USER, FIELD_INTEGRATION,
			FIELD_OUTCOME, FIELD_KIND},
		.run = audit_follow_run,
		.text = "print new audit records as they come, until Ctrl-C",
		.example = "coffer audit follow --outcome refused",
	},
	{
		.words = "audit export",
		.kind = REQUEST_COUNT,
		.operands = {{SLOT_OUTPUT, NEED_MAYBE}},
		.options = {FIELD_AFTER, FIELD_SINCE, FIELD_UNTIL, FIELD_UID, SLOT_BY_USER, FIELD_INTEGRATION,
			FIELD_OUTCOME, FIELD_KIND},
		.run = audit_export_run,
		.text = "write audit records as JSON lines: all of them, ready for audit verify, or those "
			"that "
			"meet conditions",
		.example = "coffer audit export audit.jsonl",
	},
	{
		.words = "audit checkpoint",
		.kind = REQUEST_COUNT,
		.operands = {{SLOT_OUTPUT, NEED_MAYBE}},
		.run = audit_checkpoint_run,
		.text = "get the vault's signed word on where its audit log stands, to be kept elsewhere",
		.example = "coffer audit checkpoint 2026-q4.checkpoint",
	},
	{
		.words = "audit verify",
		.kind = REQUEST_COUNT,
		.operands = {{SLOT_FILE, NEED_ANY}},
		.options = {SLOT_HEAD, SLOT_PUBLIC_KEY},
		.run = audit_verify_run,
		.text = "verify the chain of audit records: the daemon's, or files without it, in their "
			"order (- is standard input)",
		.example = "coffer audit verify audit-*.jsonl audit.jsonl --head 2026-q3.checkpoint",
	},
	{
		.words = "audit archive",
		.kind = REQUEST_COUNT,
		.options = {FIELD_UNTIL},
		.run = audit_archive_run,
		.print = audit_archive_print,
		.text = "move the oldest audit records into signed files of archive_dir, and out of the "
			"store",
		.example = "coffer audit archive --until 400d",
	},
	{
		.words = "report",
		.kind = REQUEST_COUNT,
		.operands = {{SLOT_FILE, NEED_ANY}},
		.options = {SLOT_FORMAT, SLOT_OUTPUT, FIELD_DAYS, SLOT_MERGE},
		.run = report_run,
		.text = "the inventory for an audit: what there is, who has access and why, what is overdue; "
			"never a "
			"value",
		.example = "coffer report --output inventory.html",
	},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]), WORDS_BYTES = 64 };

const struct command *commands_all(size_t *count_out)
{
	*count_out = COMMAND_COUNT;
	return commands;
}

/* "integration add" from the first one or two of the words given. */
static void join_words(char *const *words, size_t count, char out[WORDS_BYTES])
{
	(void)snprintf(out, WORDS_BYTES, "%s%s%s", words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
}

const struct command *commands_find(char *const *words, size_t count, size_t *used_out)
{
	for (size_t used = count < 2 ? count : 2; used > 0; used--) {
		char joined[WORDS_BYTES] = "";

		join_words(words, used, joined);
		for (size_t i = 0; i < COMMAND_COUNT; i++) {
			if (strcmp(commands[i].words, joined) == 0) {
				*used_out = used;
				return &commands[i];
			}
		}
	}
	return NULL;
}

bool commands_has_noun(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strncmp(commands[i].words, word, len) == 0 && commands[i].words[len] == ' ')
			return true;
	}
	return false;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, removals and changes of one character between two words (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORDS_BYTES + 1] = {0};
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t above = row[j + 1];

			row[j + 1] = smallest(row[j] + 1, above + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[b_len];
}

const char *commands_nearest(char *const *words, size_t count)
{
	enum { FAR = 4 };
	char joined[WORDS_BYTES] = "";
	const char *nearest = NULL;
	size_t least = FAR;

	join_words(words, count, joined);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		size_t to_both = distance(joined, commands[i].words);
		size_t to_first = distance(words[0], commands[i].words);
		size_t to_nearer = to_both < to_first ? to_both : to_first;

		if (to_nearer < least) {
			least = to_nearer;
			nearest = commands[i].words;
		}
	}
	return nearest;
}
