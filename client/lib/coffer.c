/*
 * The public face of the library: handles, errors, and the calls that hand out a reply's text.  Checks what
 * callers give, turns enum err into the numbers of coffer.h, keeps nothing outside the handle.  Sockets, requests
 * and environments are place.c's, channel.c's, call.c's and env.c's.
 */
#include "coffer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "text.h"
#include "vault.h"

enum { TIMEOUT_MS_DEFAULT = 10000 };

/* coffer.h cannot include errors.def, so the two lists are held together here. */
#define ERR(name, number, word, class, exit, text) _Static_assert((int)COFFER_##name == (number), #name);
#include "errors.def"
#undef ERR

static bool is_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

enum err vault_copy_options(void *options, size_t size, size_t first_size, const void *given)
{
	size_t given_size = 0;

	memcpy(&given_size, given, sizeof(given_size));
	if (given_size < first_size)
		return ERR_USAGE;
	if (given_size > size && !is_zero((const unsigned char *)given + size, given_size - size))
		return ERR_UNSUPPORTED;
	memcpy(options, given, given_size < size ? given_size : size);
	return OK;
}

enum err vault_check_integration(struct coffer *vault, const char *integration)
{
	if (integration == NULL || text_is_integration_name(integration, strlen(integration)))
		return OK;
	return vault_fail(vault, ERR_BAD_NAME, "not the name of an integration");
}

static enum err set_socket_path(coffer *vault, const struct coffer_options *options)
{
	char place[PATH_MAX] = "";
	enum err err = OK;

	if (options->socket_path == NULL)
		err = place_default((options->flags & COFFER_USER_VAULT) != 0, place, sizeof(place));
	if (err != OK)
		return err;
	vault->socket_path = strdup(options->socket_path != NULL ? options->socket_path : place);
	return vault->socket_path != NULL ? OK : ERR_INTERNAL;
}

static enum err open_vault(const struct coffer_options *given, coffer **out)
{
	struct coffer_options options = {.size = sizeof(options)};
	enum err err =
		given != NULL ? vault_copy_options(&options, sizeof(options), sizeof(options), given) : OK;

	if (err != OK)
		return err;
	if ((options.flags & ~COFFER_USER_VAULT) != 0)
		return ERR_UNSUPPORTED;

	coffer *vault = calloc(1, sizeof(*vault));

	if (vault == NULL)
		return ERR_INTERNAL;
	vault->channel.fd = -1;
	vault->timeout_ms = options.timeout_ms != 0 ? options.timeout_ms : TIMEOUT_MS_DEFAULT;
	err = set_socket_path(vault, &options);
	if (err != OK) {
		coffer_close(vault);
		return err;
	}
	*out = vault;
	return OK;
}

int coffer_open(const struct coffer_options *options, coffer **out)
{
	if (out == NULL)
		return COFFER_USAGE;
	*out = NULL;
	return err_number(open_vault(options, out));
}

void coffer_close(coffer *vault)
{
	if (vault == NULL)
		return;
	channel_close(&vault->channel);
	answer_clear(vault);
	token_clear(vault);
	free(vault->socket_path);
	free(vault);
}

/* ERR_COUNT for a number that is in no row. */
static enum err err_from_number(int number)
{
	enum err err = OK;

	while (err < ERR_COUNT && err_number(err) != number)
		err++;
	return err;
}

const char *coffer_error_word(int error)
{
	enum err err = err_from_number(error);

	return err != ERR_COUNT ? err_word(err) : "unknown";
}

const char *coffer_error_text(const coffer *vault, int error)
{
	enum err err = err_from_number(error);

	if (vault != NULL && err != OK && vault->failure.err == err && vault->failure.text[0] != '\0')
		return vault->failure.text;
	return err != ERR_COUNT ? err_text(err) : "an error that this version does not know";
}

int coffer_error_is_retry(int error)
{
	enum err err = err_from_number(error);

	return err == ERR_UNREACHABLE || err == ERR_TIMEOUT ||
	       (err != ERR_COUNT && err_class(err) == ERR_CLASS_RETRY);
}

int64_t coffer_retry_after_ms(const coffer *vault)
{
	return vault != NULL ? vault->failure.retry_after_ms : 0;
}

/* The text of an object in the reply.  The reply has been read, and at least its own brace follows the object. */
static const char *hand_out(const coffer *vault, const struct json_token *object, size_t *len_out)
{
	char *text = (char *)vault->reply.memory.bytes + object->start;

	text[object->len] = '\0';
	*len_out = object->len;
	return text;
}

void vault_show_result(struct coffer *vault, const char **json_out, size_t *len_out)
{
	*json_out = hand_out(vault, vault->reply.result, len_out);
}

int coffer_whoami(coffer *vault, const char **json_out, size_t *len_out)
{
	return coffer_call(vault, "whoami", NULL, 0, json_out, len_out);
}

int coffer_error_data(const coffer *vault, const char **json_out, size_t *len_out)
{
	if (vault == NULL || json_out == NULL || len_out == NULL)
		return COFFER_USAGE;
	if (vault->reply.error_data == NULL)
		return COFFER_NOT_FOUND;
	*json_out = hand_out(vault, vault->reply.error_data, len_out);
	return COFFER_OK;
}

int coffer_call(coffer *vault, const char *method, const char *params, size_t params_len,
	const char **result_out, size_t *len_out)
{
	if (vault == NULL || method == NULL || result_out == NULL || len_out == NULL)
		return COFFER_USAGE;

	enum err err = params != NULL ? call_method(vault, method, params, params_len)
				      : call_method(vault, method, "{}", 2);

	if (err != OK)
		return err_number(err);
	vault_show_result(vault, result_out, len_out);
	return COFFER_OK;
}

int coffer_default_socket(unsigned flags, char *out, size_t size)
{
	if (out == NULL || size == 0 || (flags & ~COFFER_USER_VAULT) != 0)
		return COFFER_USAGE;
	return err_number(place_default((flags & COFFER_USER_VAULT) != 0, out, size));
}
