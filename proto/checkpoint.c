/*
 * The checkpoint's text and its signature (P7).  A text is read by taking its lines apart and writing them again: only
 * what comes out byte for byte is one, so that no two texts mean the same.
 */
#include "checkpoint.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "canon.h"
#include "text.h"

_Static_assert(CHECKPOINT_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "public key");
_Static_assert(CHECKPOINT_SIGNATURE_BYTES == crypto_sign_BYTES, "signature");

static const char title[] = "coffer checkpoint 1\n";

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '-' || c == '_';
}

void checkpoint_set_host(char out[CHECKPOINT_HOST_BYTES], const char *name)
{
	size_t len = 0;

	for (; name[len] != '\0' && len < CHECKPOINT_HOST_BYTES - 1; len++)
		out[len] = is_host_byte(name[len]) ? name[len] : '-';
	if (len == 0)
		out[len++] = '-';
	out[len] = '\0';
}

static void write_line(struct buf *buf, const char *name, const char *text)
{
	buf_append_string(buf, name);
	buf_append_byte(buf, ' ');
	buf_append_string(buf, text);
	buf_append_byte(buf, '\n');
}

static void write_hex(struct buf *buf, const char *name, const unsigned char *bytes, size_t len)
{
	char hex[2 * CHECKPOINT_SIGNATURE_BYTES + 1] = "";

	hex_encode(bytes, len, hex);
	write_line(buf, name, hex);
}

static void write_number(struct buf *buf, const char *name, uint64_t number)
{
	char digits[24] = "";

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	write_line(buf, name, digits);
}

void checkpoint_write_body(struct buf *buf, const struct checkpoint *checkpoint)
{
	char time[TIME_TEXT_BYTES] = "";

	text_format_time(checkpoint->time_ms, time);
	buf_append_string(buf, title);
	write_hex(buf, "vault", checkpoint->vault, sizeof(checkpoint->vault));
	write_line(buf, "host", checkpoint->host);
	write_number(buf, "seq", checkpoint->seq);
	write_hex(buf, "hash", checkpoint->hash, sizeof(checkpoint->hash));
	write_line(buf, "time", time);
	write_number(buf, "epoch", checkpoint->epoch);
	write_hex(buf, "key", checkpoint->key, sizeof(checkpoint->key));
}

void checkpoint_write(struct buf *buf, const struct checkpoint *checkpoint)
{
	checkpoint_write_body(buf, checkpoint);
	write_hex(buf, "signature", checkpoint->signature, sizeof(checkpoint->signature));
}

/* The rest of the next line, which must begin with this word and a space; *at moves behind the line. */
static bool take_line(const char **at, const char *end, const char *word, char *out, size_t cap)
{
	size_t word_len = strlen(word);
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));

	if (newline == NULL || (size_t)(newline - *at) <= word_len || memcmp(*at, word, word_len) != 0)
		return false;

	const char *text = *at + word_len + 1;
	size_t len = (size_t)(newline - text);

	if ((*at)[word_len] != ' ' || len >= cap || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	*at = newline + 1;
	return true;
}

static bool take_hex(const char **at, const char *end, const char *word, unsigned char *out, size_t len)
{
	char hex[2 * CHECKPOINT_SIGNATURE_BYTES + 1];

	return take_line(at, end, word, hex, sizeof(hex)) && hex_decode(hex, strlen(hex), out, len) == OK;
}

/* Numbers are those that JSON's integers hold, too. */
static bool take_number(const char **at, const char *end, const char *word, uint64_t *out)
{
	char digits[20];

	if (!take_line(at, end, word, digits, sizeof(digits)) || digits[0] == '\0')
		return false;
	*out = 0;
	for (const char *c = digits; *c != '\0'; c++) {
		if (*c < '0' || *c > '9' || *out > INT64_MAX / 10 - 1)
			return false;
		*out = *out * 10 + (uint64_t)(*c - '0');
	}
	return true;
}

static bool take_fields(const char *text, size_t len, struct checkpoint *out)
{
	const char *at = text + sizeof(title) - 1;
	const char *end = text + len;
	char time[TIME_TEXT_BYTES] = "";

	return len > sizeof(title) - 1 && memcmp(text, title, sizeof(title) - 1) == 0 &&
	       take_hex(&at, end, "vault", out->vault, sizeof(out->vault)) &&
	       take_line(&at, end, "host", out->host, sizeof(out->host)) &&
	       take_number(&at, end, "seq", &out->seq) &&
	       take_hex(&at, end, "hash", out->hash, sizeof(out->hash)) &&
	       take_line(&at, end, "time", time, sizeof(time)) &&
	       text_time(time, strlen(time), &out->time_ms) && take_number(&at, end, "epoch", &out->epoch) &&
	       take_hex(&at, end, "key", out->key, sizeof(out->key)) &&
	       take_hex(&at, end, "signature", out->signature, sizeof(out->signature)) && at == end;
}

enum err checkpoint_read(const char *text, size_t len, struct checkpoint *out)
{
	struct checkpoint read = {0};
	char host[CHECKPOINT_HOST_BYTES] = "";
	char bytes[CHECKPOINT_TEXT_BYTES];
	struct buf again = {0};

	if (len >= CHECKPOINT_TEXT_BYTES || !take_fields(text, len, &read))
		return ERR_BAD_VALUE;
	checkpoint_set_host(host, read.host);
	buf_init_fixed(&again, bytes, sizeof(bytes));
	checkpoint_write(&again, &read);
	if (strcmp(host, read.host) != 0 || buf_failed(&again) || again.len != len ||
		memcmp(again.bytes, text, len) != 0)
		return ERR_BAD_VALUE;
	*out = read;
	return OK;
}

bool checkpoint_is_signed(const struct checkpoint *checkpoint)
{
	char bytes[CHECKPOINT_TEXT_BYTES];
	struct buf body = {0};

	buf_init_fixed(&body, bytes, sizeof(bytes));
	checkpoint_write_body(&body, checkpoint);
	return !buf_failed(&body) &&
	       crypto_sign_verify_detached(checkpoint->signature, (const unsigned char *)body.bytes, body.len,
		       checkpoint->key) == 0;
}

void checkpoint_fingerprint(
	const unsigned char key[CHECKPOINT_KEY_BYTES], char out[CHECKPOINT_FINGERPRINT_BYTES])
{
	unsigned char hash[crypto_generichash_BYTES];
	char bytes[64];
	struct buf named = {0};

	buf_init_fixed(&named, bytes, sizeof(bytes));
	canon_label(&named, "coffer/checkpoint-key/1");
	canon_fixed(&named, key, CHECKPOINT_KEY_BYTES);
	(void)crypto_generichash(hash, sizeof(hash), (const unsigned char *)named.bytes, named.len, NULL, 0);
	hex_encode(hash, (CHECKPOINT_FINGERPRINT_BYTES - 1) / 2, out);
	out[CHECKPOINT_FINGERPRINT_BYTES - 1] = '\0';
}
