/*
 * The forms in which a value may stand in an output.  Each is read back to the bytes that it stands for, its units, as
 * the output comes in, and the units are looked for in one tree of the values: a form costs no memory for patterns, and
 * every spelling of it is known (hex in mixed case, some characters escaped and some not, base64 in lines).
 */
#ifndef COFFER_CLI_MASK_FORMS_H
#define COFFER_CLI_MASK_FORMS_H

#include <stdint.h>

#include "mask_tree.h"

/* base64 that is cut into lines after each digit; \u00xx is as long */
enum { MASK_UNIT_BYTES_MAX = 6, MASK_UNIT_BYTES_OVER = 12 };

enum mask_form_name {
	FORM_RAW,
	FORM_HEX, /* two: a pair may begin at an even or at an odd position */
	FORM_BASE64 = FORM_HEX + 2, /* four: any digit may be the first of a group */
	FORM_PERCENT = FORM_BASE64 + 4, /* %xx; + is a plus */
	FORM_PLUS, /* %xx; + is a space */
	FORM_BACKSLASH, /* of JSON: \n \" \/ \u00xx …; a backslash before anything else stands for that */
	FORM_COUNT,
};

/*
 * The output that is not out yet.  Positions count its bytes from the beginning, modulo 2^32; a position is found at
 * its low bits.
 */
struct mask_window {
	unsigned char *bytes;
	uint32_t *reach; /* for a position where occurrences begin, the bytes of the longest */
	uint32_t size; /* a power of two */
	uint32_t begin; /* the first that is not out */
	uint32_t end;
};

/* What one form has read that may become an occurrence. */
struct mask_form {
	uint32_t node; /* in the tree */
	uint32_t count; /* of units, modulo 2^32 */
	uint32_t *starts; /* where each of the last units begins */
};

/* The digit before; digit is 0 when there is none, else its value and 1. */
struct mask_digit {
	unsigned char digit;
	uint32_t position;
};

/* An escape that has begun. */
struct mask_escape {
	unsigned char text[6];
	unsigned char len;
	unsigned char high_bits; /* what the last high surrogate leaves to the low one */
	uint32_t position;
};

struct mask_forms {
	const struct mask_tree *tree;
	struct mask_window *window;
	uint32_t unit_slots; /* of each starts; a power of two, no less than the longest pattern */
	struct mask_form form[FORM_COUNT];
	struct mask_digit hex;
	struct mask_digit base64;
	uint32_t base64_count; /* of digits, modulo 2^32 */
	uint32_t base64_breaks; /* between the last digit and here */
	uint32_t pad_position; /* where = still belongs to an occurrence */
	uint32_t pads_left;
	struct mask_escape escape[FORM_COUNT - FORM_PERCENT];
	unsigned char hex_digits[256]; /* of a byte the value as a digit and 1; 0: it is none */
	unsigned char base64_digits[256]; /* of both alphabets */
};

/* The rest of forms is zero, but for starts and unit_slots. */
void mask_forms_init(struct mask_forms *forms, const struct mask_tree *tree, struct mask_window *window);

/* Reads the window from a position to its end and sets reach for what ends there. */
void mask_forms_read(struct mask_forms *forms, uint32_t from);

/* How many of the window's last bytes may belong to an occurrence that is not complete, of which units_min or more are there. */
uint32_t mask_forms_open(const struct mask_forms *forms, uint32_t units_min);

/* Forgets what was read. */
void mask_forms_reset(struct mask_forms *forms);

#endif
