/*
 * Hears of changes and forgets none: what became current while nobody listened shows when the versions of a new
 * subscription are compared with the last ones known.  When the right is gone, that is said once and the program goes
 * on without.  What a change leads to is the owner's.
 */
#include "subscription.h"

#include "run_token.h"
#include "run_vault.h"
#include "say.h"

enum { PAUSE_MS_FIRST = 1000, PAUSE_MS_MAX = 30000, CALL_MS = 5000 };

static const char *name_of(const struct subscription *subscription)
{
	const char *integration = run_integration(subscription->options);

	return integration != NULL ? integration : "run";
}

static void learn(struct subscription *subscription, const char *json, size_t len)
{
	if (known_versions_learn(&subscription->versions, &subscription->options->only, json, len))
		subscription->has_changed = true;
}

static int subscribe(coffer *vault, void *arg)
{
	struct subscription *subscription = arg;
	const char *json = NULL;
	size_t len = 0;
	int error = run_token_show(subscription->options->token, vault);

	if (error == COFFER_OK)
		error = coffer_watch(vault, run_integration(subscription->options), &json, &len);
	if (error == COFFER_OK)
		learn(subscription, json, len);
	return error;
}

int subscription_start(struct subscription *subscription, const struct run_options *options)
{
	*subscription = (struct subscription){
		.options = options, .again_at_ms = NEVER_MS, .pause_ms = PAUSE_MS_FIRST};

	int error = run_vault_open(options, CALL_MS, &subscription->vault);

	if (error == COFFER_OK)
		error = run_call_until(subscription->vault, options, subscribe, subscription);
	if (error != COFFER_OK)
		return run_explain(subscription->vault, options, error);
	/* Nobody has fetched yet, so nothing that is current is a change. */
	subscription->has_changed = false;
	return 0;
}

int subscription_fd(const struct subscription *subscription)
{
	return coffer_watch_fd(subscription->vault);
}

static void end(struct subscription *subscription, const char *why)
{
	say(name_of(subscription), ": no more changes will be told: ", why, "; the program goes on", NULL);
	subscription_close(subscription);
}

static void lose(struct subscription *subscription, int error)
{
	say(name_of(subscription),
		": the daemon tells no changes: ", coffer_error_text(subscription->vault, error),
		"; asking again", NULL);
	subscription->again_at_ms = run_now_ms() + subscription->pause_ms;
}

static void read_event(
	struct subscription *subscription, enum coffer_event event, const char *json, size_t len)
{
	bool may_have_another = run_token_is_given(subscription->options->token);

	if (event == COFFER_EVENT_ENDED && may_have_another) {
		/* Perhaps only the token that was shown is gone, and there is a new one in its place. */
		subscription->again_at_ms = run_now_ms();
	} else if (event == COFFER_EVENT_ENDED) {
		end(subscription, "this process may not have the integration any more");
	} else if (event == COFFER_EVENT_OVERFLOW) {
		subscription->has_changed = true;
		/* Which versions are current now is told to a new subscription only. */
		subscription->again_at_ms = run_now_ms();
	} else {
		learn(subscription, json, len);
	}
}

/* Some events may have come together with the answer, so the descriptor alone does not tell. */
void subscription_read(struct subscription *subscription)
{
	while (subscription_fd(subscription) >= 0) {
		enum coffer_event event = 0;
		const char *json = NULL;
		size_t len = 0;
		int error = coffer_watch_next(subscription->vault, 0, &event, &json, &len);

		if (error == COFFER_TIMEOUT)
			return;
		if (error == COFFER_OK)
			read_event(subscription, event, json, len);
		else
			lose(subscription, error);
	}
}

void subscription_renew(struct subscription *subscription)
{
	int error = subscribe(subscription->vault, subscription);

	subscription->again_at_ms = NEVER_MS;
	if (error == COFFER_OK) {
		subscription->pause_ms = PAUSE_MS_FIRST;
		subscription_read(subscription);
	} else if (run_is_retry(subscription->vault, error)) {
		subscription->again_at_ms = run_now_ms() + subscription->pause_ms;
		subscription->pause_ms =
			subscription->pause_ms * 2 < PAUSE_MS_MAX ? subscription->pause_ms * 2 : PAUSE_MS_MAX;
	} else {
		end(subscription, coffer_error_text(subscription->vault, error));
	}
}

void subscription_close(struct subscription *subscription)
{
	run_vault_close(&subscription->vault);
	subscription->again_at_ms = NEVER_MS;
}
