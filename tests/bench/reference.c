/*
 * The reference of all ratios: a bare libuv server that parses each line with cJSON and prints a reply of
 * ten made-up values with cJSON.  No storage, no crypto, no audit.
 */
#include <cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { LINE_MAX_BYTES = 4096, VALUES = 10, VALUE_BYTES = 110 };

struct client {
	uv_pipe_t pipe;
	char line[LINE_MAX_BYTES];
	size_t len;
};

struct answer {
	uv_write_t write;
	char *text;
};

static char value[VALUE_BYTES + 1];

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_written(uv_write_t *write, int status)
{
	struct answer *answer = (struct answer *)write;

	(void)status;
	free(answer->text);
	free(answer);
}

static char *make_reply(const char *line, size_t len)
{
	cJSON *request = cJSON_ParseWithLength(line, len);
	cJSON *reply = cJSON_CreateObject();
	cJSON *result = cJSON_AddObjectToObject(reply, "result");
	cJSON *env = cJSON_AddArrayToObject(result, "env");
	char key[16] = "";

	cJSON_AddStringToObject(reply, "jsonrpc", "2.0");
	cJSON_AddNumberToObject(
		reply, "id", cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(request, "id")));
	for (int i = 0; i < VALUES; i++) {
		cJSON *entry = cJSON_CreateObject();

		snprintf(key, sizeof(key), "KEY_%d", i);
		cJSON_AddStringToObject(entry, "key", key);
		cJSON_AddStringToObject(entry, "value", value);
		cJSON_AddNumberToObject(entry, "version", 1);
		cJSON_AddItemToArray(env, entry);
	}

	char *text = cJSON_PrintUnformatted(reply);

	cJSON_Delete(request);
	cJSON_Delete(reply);
	return text;
}

static void answer_line(struct client *client, const char *line, size_t len)
{
	char *text = make_reply(line, len);
	size_t size = strlen(text);
	uv_buf_t buf = {0};

	text[size++] = '\n'; /* in place of the NUL */
	buf = uv_buf_init(text, (unsigned)size);

	int sent = uv_try_write((uv_stream_t *)&client->pipe, &buf, 1);

	if (sent == (int)size) {
		free(text);
		return;
	}

	struct answer *answer = calloc(1, sizeof(*answer));
	size_t done = sent > 0 ? (size_t)sent : 0;

	if (answer == NULL)
		abort();
	answer->text = text;
	buf = uv_buf_init(text + done, (unsigned)(size - done));
	uv_write(&answer->write, (uv_stream_t *)&client->pipe, &buf, 1, on_written);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct client *client = (struct client *)handle;

	(void)suggested;
	*buf = uv_buf_init(client->line + client->len, (unsigned)(sizeof(client->line) - client->len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
	struct client *client = (struct client *)stream;
	char *newline = NULL;

	(void)buf;
	if (count < 0) {
		uv_close((uv_handle_t *)stream, on_closed);
		return;
	}
	client->len += (size_t)count;
	while ((newline = memchr(client->line, '\n', client->len)) != NULL) {
		size_t len = (size_t)(newline - client->line);

		answer_line(client, client->line, len);
		client->len -= len + 1;
		memmove(client->line, newline + 1, client->len);
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct client *client = calloc(1, sizeof(*client));

	if (status < 0 || client == NULL)
		abort();
	uv_pipe_init(listener->loop, &client->pipe, 0);
	uv_accept(listener, (uv_stream_t *)&client->pipe);
	uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
}

int main(int argc, char **argv)
{
	uv_pipe_t listener;

	if (argc != 2)
		return 64;
	signal(SIGPIPE, SIG_IGN);
	memset(value, 'v', VALUE_BYTES);
	uv_pipe_init(uv_default_loop(), &listener, 0);
	if (uv_pipe_bind(&listener, argv[1]) != 0 ||
		uv_listen((uv_stream_t *)&listener, 4096, on_connection) != 0)
		return 74;
	puts("ready");
	fflush(stdout);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
