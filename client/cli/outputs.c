/*
 * Carries output from the program through the mask to where it goes.  It is read as it comes and written when the other
 * end takes it; nothing more is read before all has been written, so a slow reader holds the program up as it would
 * without us, but no signal.  Unmasked bytes are in locked memory only (P1).
 */
#include "outputs.h"

#include <errno.h>
#include <unistd.h>

#include "run_vault.h"

enum {
	CHUNK_BYTES = 4096, /* read at once, and written: a pipe that poll(2) calls ready takes as much */
	IDLE_MS = 50, /* of silence, until what is held back may go */
	SETTLE_MS = 50, /* of silence: what the program wrote before it stopped has come */
	SETTLE_MS_MAX = 200,
	QUIET_MS = 200, /* of silence after the program's end: nothing of its own is under way any more */
	FINISH_MS_MAX = 2000,
	HELD_BYTES_PER_BYTE = 6, /* that a mask holds back, of the longest value (mask.h) */
	READY_BYTES_OVER = 16384,
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void emit(void *arg, const char *bytes, size_t len)
{
	struct output *output = arg;

	if (output->to >= 0)
		buf_append(&output->ready, bytes, len);
}

/* All that one read can set free: what the mask held back, and the chunk. */
static enum err map_ready(struct output *output, size_t longest)
{
	enum err err = locked_map(longest * HELD_BYTES_PER_BYTE + READY_BYTES_OVER, true, &output->memory);

	if (err == OK)
		buf_init_fixed(&output->ready, (char *)output->memory.bytes, output->memory.len);
	return err;
}

enum err outputs_add(struct outputs *outputs, const struct mask *mask, const struct output *ends)
{
	struct output *output = &outputs->list[outputs->count++];

	*output = (struct output){
		.from = ends->from, .held = ends->held, .to = ends->to, .idle_at_ms = NEVER_MS};

	enum err err = outputs->chunk.bytes == NULL ? locked_map(CHUNK_BYTES, true, &outputs->chunk) : OK;

	if (err == OK)
		err = map_ready(output, outputs->longest);
	return err == OK ? mask_stream_new(mask, emit, output, &output->stream) : err;
}

static bool has_ready(const struct output *output)
{
	return output->written < output->ready.len;
}

static void note_idle(struct output *output)
{
	output->idle_at_ms = mask_is_waiting(output->stream) ? run_now_ms() + IDLE_MS : NEVER_MS;
}

static void read_output(struct outputs *outputs, struct output *output)
{
	unsigned char *chunk = outputs->chunk.bytes;
	ssize_t got = read(output->from, chunk, CHUNK_BYTES);

	if (got > 0) {
		mask_feed(output->stream, (const char *)chunk, (size_t)got);
		wipe(chunk, (size_t)got);
		note_idle(output);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		mask_flush(output->stream);
		close_fd(&output->from);
		output->idle_at_ms = NEVER_MS;
	}
}

static void forget_ready(struct output *output)
{
	wipe(output->ready.bytes, output->ready.len);
	buf_init_fixed(&output->ready, (char *)output->memory.bytes, output->memory.len);
	output->written = 0;
}

/* The program learns it as it would without us. */
static void lose_reader(const struct outputs *outputs, struct output *output)
{
	output->to = -1;
	forget_ready(output);
	if (!outputs->keeps_from)
		close_fd(&output->from);
}

static void write_output(const struct outputs *outputs, struct output *output)
{
	size_t left = output->ready.len - output->written;
	ssize_t written = write(
		output->to, output->ready.bytes + output->written, left < CHUNK_BYTES ? left : CHUNK_BYTES);

	if (written >= 0)
		output->written += (size_t)written;
	else if (errno != EAGAIN && errno != EINTR)
		lose_reader(outputs, output);
	if (!has_ready(output))
		forget_ready(output);
}

static void let_go(struct output *output)
{
	mask_idle(output->stream);
	output->idle_at_ms = NEVER_MS;
}

void outputs_ask(const struct outputs *outputs, struct pollfd fds[OUTPUT_FDS])
{
	for (size_t i = 0; i < OUTPUTS_MAX; i++) {
		const struct output *output = &outputs->list[i];
		bool is_used = i < outputs->count;
		bool is_full = is_used && has_ready(output);

		fds[2 * i] = (struct pollfd){.fd = is_used && !is_full ? output->from : -1, .events = POLLIN};
		fds[2 * i + 1] = (struct pollfd){.fd = is_full ? output->to : -1, .events = POLLOUT};
	}
}

bool outputs_carry(struct outputs *outputs, const struct pollfd fds[OUTPUT_FDS])
{
	int64_t now_ms = run_now_ms();
	bool has_moved = false;

	for (size_t i = 0; i < outputs->count; i++) {
		struct output *output = &outputs->list[i];

		if (fds[2 * i + 1].revents != 0)
			write_output(outputs, output);
		else if (fds[2 * i].revents != 0)
			read_output(outputs, output);
		else if (output->idle_at_ms <= now_ms && !has_ready(output))
			let_go(output);
		else
			continue;
		has_moved = true;
	}
	return has_moved;
}

int64_t outputs_deadline(const struct outputs *outputs)
{
	int64_t next = NEVER_MS;

	for (size_t i = 0; i < outputs->count; i++) {
		const struct output *output = &outputs->list[i];

		if (!has_ready(output) && output->idle_at_ms < next)
			next = output->idle_at_ms;
	}
	return next;
}

static bool is_writing(const struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		if (has_ready(&outputs->list[i]))
			return true;
	}
	return false;
}

static bool is_open(const struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		if (outputs->list[i].from >= 0)
			return true;
	}
	return false;
}

/* Carries once, when anything moves or ms (negative: none) have passed. */
static bool wait_and_carry(struct outputs *outputs, int64_t ms)
{
	struct pollfd fds[OUTPUT_FDS];

	outputs_ask(outputs, fds);
	return poll(fds, OUTPUT_FDS, (int)ms) >= 0 && outputs_carry(outputs, fds);
}

void outputs_settle(struct outputs *outputs)
{
	int64_t end_ms = run_now_ms() + SETTLE_MS_MAX;

	while (run_now_ms() < end_ms && wait_and_carry(outputs, SETTLE_MS))
		continue;
}

/* Nothing that the program wrote may be lost, so silence counts only while we are ready to hear it. */
void outputs_finish(struct outputs *outputs)
{
	int64_t left_ms = FINISH_MS_MAX;
	bool is_silent = false;

	for (size_t i = 0; i < outputs->count; i++)
		close_fd(&outputs->list[i].held);
	while (is_writing(outputs) || (is_open(outputs) && left_ms > 0 && !is_silent)) {
		bool is_full = is_writing(outputs);
		int64_t since_ms = run_now_ms();

		is_silent = !wait_and_carry(outputs, is_full ? -1 : QUIET_MS) && !is_full;
		left_ms -= is_full ? 0 : run_now_ms() - since_ms;
	}
	for (size_t i = 0; i < outputs->count; i++) {
		if (outputs->list[i].from >= 0)
			mask_flush(outputs->list[i].stream);
	}
	while (is_writing(outputs))
		(void)wait_and_carry(outputs, -1);
}

static void clear_output(struct output *output)
{
	close_fd(&output->from);
	close_fd(&output->held);
	mask_stream_free(output->stream);
	locked_unmap(&output->memory);
}

void outputs_clear(struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++)
		clear_output(&outputs->list[i]);
	locked_unmap(&outputs->chunk);
	*outputs = (struct outputs){0};
}
