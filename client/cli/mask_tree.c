/*
 * Builds the tree.  A pattern follows what is there as far as it goes, and the rest of it is appended as a run of
 * nodes side by side, so that only the places where patterns part need a table.  The links are set level
 * by level, because those of a node lead to shallower ones.
 */
#include "mask_tree.h"

enum { BYTE_VALUES = 256, ALIGNMENT_SLACK = 64 };

uint32_t mask_power_of_two(size_t least)
{
	uint32_t power = 1;

	while (power < least)
		power *= 2;
	return power;
}

enum err mask_tree_init(struct mask_tree *tree, const struct mask_tree_bounds *bounds)
{
	uint32_t slots = mask_power_of_two(2 * bounds->patterns + 1);
	size_t nodes_len = (bounds->bytes + 1) * sizeof(*tree->nodes);
	size_t root_len = BYTE_VALUES * sizeof(*tree->root);
	size_t branches_len = slots * sizeof(*tree->branches);
	size_t levels_len = (bounds->longest + 1) * sizeof(*tree->levels);
	struct mask_tree made = {.node_count = 1, .branch_slots = slots};
	enum err err = arena_init(
		&made.arena, nodes_len + root_len + branches_len + levels_len + ALIGNMENT_SLACK, true);

	if (err != OK)
		return err;
	made.nodes = arena_alloc(&made.arena, nodes_len);
	made.root = arena_alloc(&made.arena, root_len);
	made.branches = arena_alloc(&made.arena, branches_len);
	made.levels = arena_alloc(&made.arena, levels_len);
	*tree = made;
	return OK;
}

void mask_tree_deinit(struct mask_tree *tree)
{
	arena_deinit(&tree->arena);
	*tree = (struct mask_tree){0};
}

/* The slot of a branch, or the empty one where it belongs. */
static struct mask_branch *find_slot(const struct mask_tree *tree, uint32_t from, unsigned char byte)
{
	uint64_t hash = ((uint64_t)from << 8 | byte) * 0x9e3779b97f4a7c15u;
	uint32_t slot = (uint32_t)(hash >> 32) & (tree->branch_slots - 1);

	while (tree->branches[slot].to != 0 &&
		(tree->branches[slot].from != from || tree->nodes[tree->branches[slot].to].byte != byte))
		slot = (slot + 1) & (tree->branch_slots - 1);
	return &tree->branches[slot];
}

uint32_t mask_tree_branch(const struct mask_tree *tree, uint32_t from, unsigned char byte)
{
	return find_slot(tree, from, byte)->to;
}

static void attach(struct mask_tree *tree, uint32_t parent, uint32_t node)
{
	unsigned char byte = tree->nodes[node].byte;

	if (parent == 0) {
		tree->root[byte] = node;
	} else if (parent + 1 == node) {
		tree->nodes[parent].has_next = true;
	} else {
		tree->nodes[parent].has_branch = true;
		*find_slot(tree, parent, byte) = (struct mask_branch){.from = parent, .to = node};
	}
}

uint32_t mask_tree_add(struct mask_tree *tree, uint32_t node, unsigned char byte)
{
	uint32_t child = mask_tree_child(tree, node, byte);

	if (child != 0)
		return child;

	uint32_t depth = tree->nodes[node].depth + 1;

	child = tree->node_count++;
	tree->nodes[child] =
		(struct mask_node){.fail = node, .match = tree->levels[depth], .depth = depth, .byte = byte};
	tree->levels[depth] = child;
	if (tree->depth_max < depth)
		tree->depth_max = depth;
	attach(tree, node, child);
	return child;
}

static void link_node(struct mask_tree *tree, struct mask_node *node)
{
	uint32_t parent = node->fail;

	node->fail = parent == 0 ? 0 : mask_tree_next(tree, tree->nodes[parent].fail, node->byte);
	node->match = node->is_pattern ? node->depth : tree->nodes[node->fail].match;
}

void mask_tree_link(struct mask_tree *tree)
{
	for (uint32_t depth = 1; depth <= tree->depth_max; depth++) {
		uint32_t next = 0;

		for (uint32_t node = tree->levels[depth]; node != 0; node = next) {
			next = tree->nodes[node].match;
			link_node(tree, &tree->nodes[node]);
		}
	}
}
