/*
 * All patterns of a mask as one tree of their bytes with failure links (Aho and Corasick), in locked memory: 16
 * bytes for each byte of a pattern, and one step a byte read, however many patterns there are (P1).
 */
#ifndef COFFER_CLI_MASK_TREE_H
#define COFFER_CLI_MASK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "locked.h"

/* A beginning of a pattern.  Most have one continuation, which is the next node. */
struct mask_node {
	uint32_t fail; /* the longest other beginning that this one ends with; the parent until linked */
	uint32_t match; /* bytes of the longest pattern that this one ends with, or 0; until linked, a list */
	uint32_t depth; /* its own bytes */
	unsigned char byte; /* the last of them */
	bool is_pattern;
	bool has_next; /* the node behind it in the array continues it */
	bool has_branch; /* others do: see branches */
};

struct mask_branch {
	uint32_t from;
	uint32_t to; /* 0: an empty slot */
};

struct mask_tree {
	struct arena arena;
	struct mask_node *nodes; /* nodes[0] is the root, the beginning of no bytes */
	uint32_t node_count;
	uint32_t *root; /* its continuations by their byte; 0: none */
	struct mask_branch *branches; /* a hash table, at most half full */
	uint32_t branch_slots; /* a power of two */
	uint32_t *levels; /* the last node of each depth; the others follow by match, until linked */
	uint32_t depth_max;
};

/* What the patterns will take at most. */
struct mask_tree_bounds {
	size_t bytes;
	size_t patterns;
	size_t longest;
};

/* The least power of two that is no less; the sizes here are far below 2^31. */
uint32_t mask_power_of_two(size_t least);

/* ERR_INTERNAL: no memory. */
enum err mask_tree_init(struct mask_tree *tree, const struct mask_tree_bounds *bounds);

/* Goes on from node by one byte of a pattern, adding what is not there; returns the node reached. */
uint32_t mask_tree_add(struct mask_tree *tree, uint32_t node, unsigned char byte);

/* Once all patterns are in: sets fail and match. */
void mask_tree_link(struct mask_tree *tree);

void mask_tree_deinit(struct mask_tree *tree); /* wipes; fine on {0} */

/* The node behind a branch, or 0. */
uint32_t mask_tree_branch(const struct mask_tree *tree, uint32_t from, unsigned char byte);

static inline uint32_t mask_tree_child(const struct mask_tree *tree, uint32_t node, unsigned char byte)
{
	const struct mask_node *at = &tree->nodes[node];

	if (node == 0)
		return tree->root[byte];
	if (at->has_next && at[1].byte == byte)
		return node + 1;
	return at->has_branch ? mask_tree_branch(tree, node, byte) : 0;
}

/* The longest beginning of a pattern that what was read ends with, one byte later. */
static inline uint32_t mask_tree_next(const struct mask_tree *tree, uint32_t node, unsigned char byte)
{
	uint32_t child = mask_tree_child(tree, node, byte);

	while (child == 0 && node != 0) {
		node = tree->nodes[node].fail;
		child = mask_tree_child(tree, node, byte);
	}
	return child;
}

#endif
