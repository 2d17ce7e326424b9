/*
 * Counts connections per uid in a table that cannot outgrow the connections, so that one uid's flood
 * leaves the others their places and an administrator always gets in (P8).
 */
#include "shares.h"

#include <assert.h>
#include <stdlib.h>

enum { UID_PART = 8 }; /* one uid holds at most an eighth of all connections */

struct share {
	uid_t uid;
	uint32_t count; /* 0: a free slot */
};

static size_t home(const struct shares *shares, uid_t uid)
{
	/* Fibonacci hashing: neighbouring uids spread. */
	return (size_t)(((uint64_t)uid * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (shares->slot_count - 1);
}

/* The slot of uid, or the free one where it would go; half of the slots are always free. */
static size_t find(const struct shares *shares, uid_t uid)
{
	size_t at = home(shares, uid);

	while (shares->slots[at].count > 0 && shares->slots[at].uid != uid)
		at = (at + 1) & (shares->slot_count - 1);
	return at;
}

enum err shares_resize(struct shares *shares, size_t most, size_t reserved)
{
	struct shares made = {.slot_count = 16, .most = most, .total = shares->total};

	while (made.slot_count < 2 * (most > shares->total ? most : shares->total))
		made.slot_count *= 2;
	made.slots = calloc(made.slot_count, sizeof(*made.slots));
	if (made.slots == NULL)
		return ERR_INTERNAL;
	for (size_t i = 0; i < shares->slot_count; i++)
		if (shares->slots[i].count > 0)
			made.slots[find(&made, shares->slots[i].uid)] = shares->slots[i];
	/* A reserve larger than the whole would shut everybody else out. */
	made.reserved = reserved < most / 2 ? reserved : most / 2;
	made.most_per_uid = most / UID_PART > 0 ? most / UID_PART : 1;
	free(shares->slots);
	*shares = made;
	return OK;
}

void shares_deinit(struct shares *shares)
{
	free(shares->slots);
	*shares = (struct shares){0};
}

enum err shares_take(struct shares *shares, uid_t uid, bool is_privileged, const char **reason_out)
{
	if (shares_are_full(shares)) {
		*reason_out = "all connections are taken";
		return ERR_BUSY;
	}

	struct share *share = &shares->slots[find(shares, uid)];

	if (!is_privileged && shares->total >= shares->most - shares->reserved) {
		*reason_out = "all connections but the reserved ones are taken";
		return ERR_BUSY;
	}
	if (!is_privileged && share->count >= shares->most_per_uid) {
		*reason_out = "this user holds its share of the connections";
		return ERR_BUSY;
	}
	share->uid = uid;
	share->count++;
	shares->total++;
	return OK;
}

/* Closes the gap that a freed slot leaves, so that every uid is still found from its home on. */
static void close_gap(struct shares *shares, size_t gap)
{
	size_t mask = shares->slot_count - 1;

	for (size_t at = (gap + 1) & mask; shares->slots[at].count > 0; at = (at + 1) & mask) {
		size_t distance = (at - home(shares, shares->slots[at].uid)) & mask;

		if (distance < ((at - gap) & mask))
			continue;
		shares->slots[gap] = shares->slots[at];
		shares->slots[at] = (struct share){0};
		gap = at;
	}
}

void shares_give(struct shares *shares, uid_t uid)
{
	size_t at = find(shares, uid);

	assert(shares->slots[at].count > 0 && shares->total > 0);
	shares->total--;
	if (--shares->slots[at].count == 0)
		close_gap(shares, at);
}

bool shares_are_full(const struct shares *shares)
{
	return shares->total >= shares->most;
}
