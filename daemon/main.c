/*
 * cofferd: reads its configuration, gives up what it does not need, opens the vault, runs the loop, and
 * unwinds in the opposite order.  No logic worth testing lives here.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uv.h>

#include "clock.h"
#include "core.h"
#include "credential.h"
#include "handover.h"
#include "harden.h"
#include "host.h"
#include "log.h"
#include "opening.h"
#include "roles.h"
#include "sandbox.h"
#include "server.h"
#include "service.h"
#include "setup.h"
#include "units.h"

enum {
	TICK_MS = 1000,
	ANNOUNCE_TICKS = 10, /* the manager tells everybody who watches the unit: not more often */
};

struct daemon {
	char config_path[CONFIG_PATH_BYTES];
	bool has_own_config; /* --config or --user */
	struct setup_recipients recipients; /* for init */
	char host[HOST_NAME_BYTES];
	struct config *config; /* of the start, but for its rules and limits, which a reload changes */
	struct roles roles;
	struct opening opening;
	struct core *core;
	struct handover handover; /* what of it is not served yet */
	struct server *server;
	uv_loop_t loop;
	uv_poll_t signals;
	uv_poll_t processes; /* those that were given values, when one ends */
	bool has_processes; /* not while sealed */
	uv_timer_t ticks;
	uv_timer_t watchdog;
	int signal_fd;
	int exit_code;
	unsigned ticks_seen;
	char reload_error[CONFIG_ERROR_BYTES]; /* of the last one; empty: it went well */
	bool is_stopping;
};

static int complain(enum err err, const char *reason)
{
	log_error("%s", reason != NULL ? reason : err_text(err));
	return err_exit_code(err);
}

/* What `systemctl status` shows. */
static void announce(const struct daemon *daemon)
{
	const char *error = daemon->reload_error;

	if (core_is_sealed(daemon->core))
		service_status("Sealed: %s", daemon->opening.seal.mend); /* everybody may read it */
	else
		service_status("Serving, connections: %zu%s%s", server_connection_count(daemon->server),
			error[0] != '\0' ? "; the last reload was refused: " : "", error);
}

/* ---- stop and reload ---- */

static void on_handle_closed(uv_handle_t *handle)
{
	(void)handle;
}

static void on_server_stopped(void *arg)
{
	struct daemon *daemon = arg;

	uv_close((uv_handle_t *)&daemon->signals, on_handle_closed);
	if (daemon->has_processes)
		uv_close((uv_handle_t *)&daemon->processes, on_handle_closed);
	uv_close((uv_handle_t *)&daemon->ticks, on_handle_closed);
	uv_close((uv_handle_t *)&daemon->watchdog, on_handle_closed);
}

static void stop(struct daemon *daemon, int exit_code)
{
	if (daemon->is_stopping)
		return;
	daemon->is_stopping = true;
	daemon->exit_code = exit_code;
	service_notify("STOPPING=1");
	service_status("Stopping: no new requests, the replies under way are sent");
	server_stop(daemon->server, daemon->config->limits.shutdown_ms, on_server_stopped, daemon);
}

/* After an I/O error in a commit nothing but a restart tells what is on the disk (never retry an fsync). */
static void on_broken(void *arg)
{
	log_error("the store failed in a commit; stopping, so that a restart recovers what is on the disk");
	stop(arg, err_exit_code(ERR_STORAGE));
}

/*
 * What opens a vault is not to be had inside the sandbox, and a sealed daemon has read strangers' bytes: another process
 * opens it.  Only a service manager's daemon is sealed, and the sockets stay with the manager.
 */
static void end_sealed(struct daemon *daemon)
{
	log_notice("sealed: ending, so that the service manager starts a daemon that tries again");
	stop(daemon, 0);
}

static void reload_config(struct daemon *daemon)
{
	struct config *config = NULL;
	struct roles roles = {0};
	char error[CONFIG_ERROR_BYTES] = "";
	enum err err = config_load(daemon->config_path, &config, error);

	if (err == OK)
		err = roles_resolve(config, &roles);
	if (err == OK && !core_is_sealed(daemon->core))
		err = core_record_daemon(
			daemon->core, "daemon.reload"); /* who is admin changes: not without a record (P4) */
	snprintf(daemon->reload_error, sizeof(daemon->reload_error), "%s",
		err == OK || error[0] != '\0' ? error : err_text(err));
	if (err != OK) {
		log_error("not reloaded, everything stays as it was: %s", daemon->reload_error);
		config_free(config);
		roles_clear(&roles);
		return;
	}

	struct roles old_roles = daemon->roles;

	if (config_vault_differs(daemon->config, config, error))
		log_warning("[vault] %s: changed in the file; takes effect with a restart", error);
	daemon->config->limits = config->limits;
	daemon->config->rules = config->rules;
	daemon->roles = roles;
	core_set_roles(daemon->core, &daemon->roles);
	core_set_limits(daemon->core, &daemon->config->limits);
	server_set_limits(daemon->server, &daemon->config->limits);
	config_free(config);
	roles_clear(&old_roles);
	log_notice("reloaded roles, rules and limits");
	if (core_is_sealed(daemon->core))
		end_sealed(daemon);
}

static void reload(struct daemon *daemon)
{
	service_notify_reloading();
	reload_config(daemon);
	if (daemon->is_stopping)
		return;
	service_notify("READY=1");
	announce(daemon);
}

/* ---- loop callbacks ---- */

static void on_signal(uv_poll_t *handle, int status, int events)
{
	struct daemon *daemon = handle->data;
	struct signalfd_siginfo info = {0};

	(void)status;
	(void)events;
	if (read(daemon->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(daemon);
	else
		stop(daemon, 0);
}

static void on_tick(uv_timer_t *timer)
{
	struct daemon *daemon = timer->data;

	core_tick(daemon->core, false);
	if (++daemon->ticks_seen % ANNOUNCE_TICKS == 0 && !daemon->is_stopping)
		announce(daemon);
}

static void on_processes(uv_poll_t *handle, int status, int events)
{
	struct daemon *daemon = handle->data;

	(void)status;
	(void)events;
	core_processes_ended(daemon->core);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	service_notify("WATCHDOG=1");
}

static size_t count_connections(void *arg)
{
	return server_connection_count(arg);
}

/* ---- start ---- */

static enum err take_socket(struct daemon *daemon, int *fd_out, const char **reason_out)
{
	enum err err = handover_take(&daemon->handover, reason_out);

	*fd_out = daemon->handover.socket;
	daemon->handover.socket = -1;
	if (err != OK || *fd_out >= 0)
		return err;
	err = server_listen(daemon->config->socket, fd_out, reason_out);
	if (err != OK)
		*reason_out = log_about("socket", daemon->config->socket, *reason_out);
	return err;
}

/* The start is recorded when nothing else can refuse it: a refused start changes nothing. */
static enum err start_core(struct daemon *daemon, int *fd_out, const char **reason_out)
{
	struct core_options options = {.limits = &daemon->config->limits,
		.rules = &daemon->config->rules,
		.roles = &daemon->roles,
		.may_swap = daemon->config->allow_swap,
		.state_dir = daemon->config->state_dir,
		.root_key_file = daemon->config->root_key_source == ROOT_KEY_FILE
					 ? daemon->config->root_key_path
					 : NULL,
		.backup_dir = daemon->config->backup_dir,
		.archive_dir = daemon->config->archive_dir,
		.host = daemon->host};
	enum err err = opening_begin(&daemon->opening, daemon->config);

	host_name(daemon->host);
	*reason_out = daemon->opening.reason;
	if (err != OK)
		return err;
	err = take_socket(daemon, fd_out, reason_out);
	if (err != OK) {
		opening_clear(&daemon->opening);
		return err;
	}
	*reason_out = daemon->opening.reason;
	return opening_finish(&daemon->opening, &options, &daemon->core);
}

static void watch_processes(struct daemon *daemon)
{
	if (core_is_sealed(daemon->core))
		return;
	daemon->processes.data = daemon;
	uv_poll_init(&daemon->loop, &daemon->processes, core_processes_fd(daemon->core));
	uv_poll_start(&daemon->processes, UV_READABLE, on_processes);
	daemon->has_processes = true;
}

static void start_timers(struct daemon *daemon)
{
	long watchdog_ms = service_watchdog_ms();

	daemon->signals.data = daemon;
	daemon->ticks.data = daemon;
	uv_poll_init(&daemon->loop, &daemon->signals, daemon->signal_fd);
	uv_poll_start(&daemon->signals, UV_READABLE, on_signal);
	watch_processes(daemon);
	uv_timer_init(&daemon->loop, &daemon->ticks);
	uv_timer_start(&daemon->ticks, on_tick, TICK_MS, TICK_MS);
	uv_timer_init(&daemon->loop, &daemon->watchdog);
	if (watchdog_ms > 0)
		uv_timer_start(&daemon->watchdog, on_watchdog, 0, (uint64_t)watchdog_ms);
}

/* Not serving credentials is no reason not to serve everybody else. */
static void hand_out(struct daemon *daemon)
{
	struct handover *handover = &daemon->handover;
	enum err err = OK;

	if (handover->credentials < 0 && handover->stored_count == 0)
		return;
	err = server_hand_out(
		daemon->server, handover->credentials, handover->stored, handover->stored_count);
	if (err == OK) {
		handover->credentials = -1;
		handover->stored_count = 0;
	} else {
		log_error("credentials of units are not served: %s",
			err == ERR_NOT_FOUND ? "there is no service manager that could keep connections "
					       "(Type=notify and NotifyAccess=main)"
					     : err_text(err));
	}
	handover_clear(handover);
}

static enum err start(struct daemon *daemon, const char **reason_out)
{
	int fd = -1;
	enum err err = roles_resolve(daemon->config, &daemon->roles);

	*reason_out = NULL;
	if (err == OK)
		err = start_core(daemon, &fd, reason_out);
	if (err != OK)
		return err;
	*reason_out = "the loop cannot be started";
	daemon->signal_fd = service_signal_fd();
	if (daemon->signal_fd < 0 || uv_loop_init(&daemon->loop) != 0)
		return ERR_INTERNAL;
	err = server_start(&daemon->loop, fd, daemon->core, &daemon->config->limits,
		daemon->config->allow_swap, &daemon->server);
	if (err != OK)
		return err;
	hand_out(daemon);
	core_set_connections(daemon->core, count_connections, daemon->server);
	core_set_broken(daemon->core, on_broken, daemon);
	start_timers(daemon);

	struct sandbox sandbox = {.config = daemon->config,
		.config_path = daemon->config_path,
		.owns_socket = handover_count() == 0};

	return sandbox_enter(&sandbox, reason_out);
}

static enum err harden(const struct config *config, const char **reason_out)
{
	unsigned long locked =
		(unsigned long)(core_locked_bytes(&config->limits) + (size_t)config->limits.line_pool_bytes);

	enum err err = harden_memory(locked, config->allow_swap, reason_out);

	if (err == OK && *reason_out != NULL)
		log_warning("allow_swap: going on without locked memory: %s", *reason_out);
	return err;
}

static int serve(struct daemon *daemon)
{
	const char *reason = NULL;
	enum err err = harden(daemon->config, &reason);

	if (err == OK)
		err = start(daemon, &reason);
	if (err != OK) {
		core_free(daemon->core);
		return complain(err, reason);
	}
	log_notice("version " COFFER_VERSION " serves %s%s", daemon->config->socket,
		core_is_sealed(daemon->core) ? ", sealed" : "");
	service_notify("READY=1");
	announce(daemon);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	server_free(daemon->server);
	core_set_connections(daemon->core, NULL, NULL);
	core_tick(daemon->core, true);
	if (daemon->exit_code == 0 && !core_is_sealed(daemon->core) &&
		core_record_daemon(daemon->core, "daemon.stop") != OK)
		log_warning("the stop could not be recorded");
	core_free(daemon->core);
	uv_loop_close(&daemon->loop);
	close(daemon->signal_fd);
	roles_clear(&daemon->roles);
	log_notice("stopped");
	return daemon->exit_code;
}

/* ---- command line ---- */

static const struct {
	const char *word;
	int (*run)(const struct config *config);
} commands[] = {{"check", setup_check}, {"recover", setup_recover}, {"recover-check", setup_recover_check}};

static void print_help(void)
{
	printf("Usage: cofferd [--config FILE | --user] [COMMAND]\n\n"
	       "Without a command: serve the vault in the foreground.\n\n"
	       "  init           make the vault and its root key; prints the recovery key once.  As root,\n"
	       "                 of this host: also the directories, and its units are started\n"
	       "  check          read a stopped vault from end to end\n"
	       "  recover        read a recovery key from standard input and make the root key anew\n"
	       "  recover-check  read a recovery key from standard input and prove that it opens a stopped "
	       "vault\n"
	       "  recovery-key   make a recovery key and its recipient, anywhere; prints both once\n\n"
	       "  --recovery-recipient KEY   with init: make no recovery key, use this recipient's\n"
	       "                             (up to 8 times); nothing secret is printed\n"
	       "  --config FILE   default: /etc/coffer/cofferd.conf\n"
	       "  --user          the configuration in XDG_CONFIG_HOME\n"
	       "  --help, --version\n\n"
	       "Manual: cofferd(8), cofferd.conf(5), coffer(7)\n");
}

static int usage_error(const char *what)
{
	log_error("%s; see cofferd --help", what);
	return err_exit_code(ERR_USAGE);
}

static int run_init(struct daemon *daemon)
{
	bool is_new = false;
	int exit_code = setup_init_for(daemon->config, &daemon->recipients, &is_new);

	return is_new && credential_is_ours(daemon->config) ? units_start(daemon->has_own_config) : exit_code;
}

static int run_command(const char *word, struct daemon *daemon)
{
	bool is_recovery = strcmp(word, "recover") == 0;

	if (strcmp(word, "init") == 0)
		return run_init(daemon);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(word, commands[i].word) != 0)
			continue;

		int exit_code = commands[i].run(daemon->config);

		return exit_code == 0 && is_recovery && credential_is_ours(daemon->config)
			       ? units_restart(daemon->has_own_config)
			       : exit_code;
	}
	return usage_error("unknown command");
}

static int load_and_run(struct daemon *daemon, const char *word)
{
	char error[CONFIG_ERROR_BYTES] = "";
	enum err err = config_load(daemon->config_path, &daemon->config, error);

	if (err != OK)
		return complain(err, error);

	int exit_code = word != NULL ? run_command(word, daemon) : serve(daemon);

	config_free(daemon->config);
	return exit_code;
}

struct words {
	const char *config_path;
	bool is_user;
	const char
		*recipients[SETUP_RECIPIENTS_MAX + 1]; /* one too many is for setup_add_recipient to refuse */
	size_t recipient_count;
	const char *command; /* NULL: serve */
};

static void add_recipient(struct words *words, const char *text)
{
	if (words->recipient_count < sizeof(words->recipients) / sizeof(words->recipients[0]))
		words->recipients[words->recipient_count++] = text;
}

/* False: nothing is left to do, and exit_code is the exit status. */
static bool read_words(int argc, char **argv, struct words *words, int *exit_code)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"recovery-recipient", required_argument, NULL, 'r'}, {"user", no_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};

	for (int option = 0; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		if (option == 'c')
			words->config_path = optarg;
		else if (option == 'r')
			add_recipient(words, optarg);
		else if (option == 'u')
			words->is_user = true;
		else if (option == 'h')
			return print_help(), *exit_code = 0, false;
		else if (option == 'V')
			return puts("cofferd " COFFER_VERSION), *exit_code = 0, false;
		else
			return *exit_code = usage_error("unknown option"), false;
	}
	words->command = argc > optind ? argv[optind] : NULL;
	if (argc - optind > 1)
		return *exit_code = usage_error("too many arguments"), false;
	if (words->recipient_count > 0 && (words->command == NULL || strcmp(words->command, "init") != 0))
		return *exit_code = usage_error("--recovery-recipient goes with init"), false;
	if (words->command != NULL && fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return *exit_code = usage_error(
			       "standard output is closed, and this command says what must not be lost"),
		       false;
	return true;
}

/* Before the configuration is read, so before anything is made. */
static enum err take_recipients(const struct words *words, struct daemon *daemon, const char **reason_out)
{
	enum err err = OK;

	for (size_t i = 0; err == OK && i < words->recipient_count; i++)
		err = setup_add_recipient(&daemon->recipients, words->recipients[i], reason_out);
	return err;
}

static int start_process(const struct words *words, struct daemon *daemon)
{
	const char *reason = NULL;
	enum err err = OK;

	if (harden_process(handover_count()) != OK || crypto_start() != OK)
		return complain(ERR_INTERNAL, "the process cannot be hardened");
	if (words->command != NULL && strcmp(words->command, "recovery-key") == 0)
		return setup_recovery_key();
	err = take_recipients(words, daemon, &reason);
	if (err != OK)
		return complain(err, reason);
	daemon->has_own_config = words->config_path != NULL || words->is_user;
	if (words->config_path == NULL && config_default_path(words->is_user, daemon->config_path) != OK)
		return complain(ERR_CONFIG, "no default configuration path: give --config");
	if (words->config_path != NULL)
		snprintf(daemon->config_path, sizeof(daemon->config_path), "%s", words->config_path);
	return load_and_run(daemon, words->command);
}

int main(int argc, char **argv)
{
	static struct daemon daemon;
	struct words words = {0};
	int exit_code = 0;

	return read_words(argc, argv, &words, &exit_code) ? start_process(&words, &daemon) : exit_code;
}
