/*
 * Who may be a child of a holder that has ended: real processes, in a real cgroup where one can be made and in a plain
 * directory that stands for one everywhere.
 */
#include "descent.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "puppet.h"
#include "unit.h"

static struct unit_place place;
static uint64_t given; /* when the values were delivered */

/* ---- acts ---- */

static int act_lead_a_session(int arg)
{
	(void)arg;
	return setsid() > 0 ? 0 : -1;
}

static int act_reap(int arg)
{
	(void)arg;
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static struct puppet new_inside(void)
{
	struct puppet puppet = puppet_new();

	unit_place_join(&place, &puppet);
	return puppet;
}

static struct puppet fork_inside(const struct puppet *parent)
{
	struct puppet puppet = puppet_fork(parent);

	unit_place_join(&place, &puppet);
	return puppet;
}

/* Whoever is there is old from now on, and whoever comes is young. */
static void give(void)
{
	puppets_pass_a_tick();
	given = process_now_ticks();
}

/* ---- questions ---- */

static struct descent question(void)
{
	return (struct descent){.cgroup = place.directory, .cgroup_id = place.id, .given_ticks = given};
}

static bool may_hold(void)
{
	struct descent descent = question();

	return descent_may_hold(&descent);
}

static bool may_hold_of_anybody(void)
{
	struct descent descent = question();

	descent.is_any_parent = true;
	return descent_may_hold(&descent);
}

static bool has_children(const struct puppet *puppet)
{
	struct descent descent = question();

	return descent_has_children(&descent, puppet->pid);
}

/* ---- in both kinds of place ---- */

typedef void scene_fn(void);

static void play_in(scene_fn *scene)
{
	puppets_start();
	scene();
	puppets_end();
	unit_place_remove(&place);
}

static void play(scene_fn *scene)
{
	unit_place_plain(&place);
	play_in(scene);
	if (unit_place_real(&place))
		play_in(scene);
}

/* ---- nobody ---- */

static void play_an_empty_unit(void)
{
	struct puppet gone = new_inside();

	puppet_die(&gone);
	give();
	ck_assert(!may_hold());
	ck_assert(!may_hold_of_anybody());
	ck_assert(!has_children(&gone));
}

START_TEST(an_empty_unit_holds_nothing)
{
	play(play_an_empty_unit);
}
END_TEST

static void play_an_older_process(void)
{
	struct puppet old = new_inside();
	struct puppet child = fork_inside(&old);

	give();
	ck_assert(!may_hold());
	ck_assert(!may_hold_of_anybody());
	ck_assert(!has_children(&old)); /* it was there before: it can have inherited nothing */
	puppet_exit(&child, 0);
}

START_TEST(a_process_that_was_there_before_inherited_nothing)
{
	play(play_an_older_process);
}
END_TEST

/* A scheduler goes on starting other jobs. */
static void play_a_young_child_of_an_old_process(void)
{
	struct puppet old = new_inside();

	give();

	struct puppet child = fork_inside(&old);
	struct puppet grandchild = fork_inside(&child);

	ck_assert(!may_hold());
	ck_assert_int_eq(puppet_do(&child, act_lead_a_session, 0), 0);
	ck_assert(!may_hold());
	ck_assert_int_eq(puppet_do(&grandchild, act_lead_a_session, 0), 0);
	ck_assert(!may_hold());
}

START_TEST(a_young_child_of_an_old_process_is_that_ones)
{
	play(play_a_young_child_of_an_old_process);
}
END_TEST

static void play_a_zombie(void)
{
	struct puppet old = new_inside();

	give();

	struct puppet young = new_inside();
	struct puppet child = fork_inside(&old);

	ck_assert(may_hold());
	puppet_exit(&young, 0);
	ck_assert(!may_hold());
	ck_assert(has_children(&old));
	puppet_exit(&child, 0);
	ck_assert(!has_children(&old));
	ck_assert(!may_hold_of_anybody());
}

START_TEST(a_zombie_has_no_memory_any_more)
{
	play(play_a_zombie);
}
END_TEST

/* P9: the unit was started anew, or is not there any more. */
static void play_another_incarnation(void)
{
	give();

	struct puppet young = new_inside();
	struct descent descent = question();

	ck_assert(descent_may_hold(&descent));
	descent.cgroup_id++;
	ck_assert(!descent_may_hold(&descent));
	descent.is_any_parent = true;
	ck_assert(!descent_may_hold(&descent));
	descent.cgroup_id = place.id;
	descent.cgroup = "/tmp/coffer-there-is-none.service";
	ck_assert(!descent_may_hold(&descent));
	ck_assert(may_hold_of_anybody());
	puppet_exit(&young, 0);
}

START_TEST(another_incarnation_of_the_unit_holds_nothing)
{
	play(play_another_incarnation);
}
END_TEST

/* ---- somebody ---- */

static void play_a_young_process_from_outside(void)
{
	give();

	struct puppet young = new_inside();

	ck_assert(may_hold());
	ck_assert(may_hold_of_anybody());
	puppet_die(&young);
	ck_assert(!may_hold());
}

/* What the service manager starts has its parent there, like an orphan that it has taken. */
START_TEST(a_young_process_with_its_parent_outside_may_hold)
{
	play(play_a_young_process_from_outside);
}
END_TEST

static void play_an_orphan(void)
{
	struct puppet holder = new_inside();

	give();

	struct puppet child = fork_inside(&holder);
	struct puppet grandchild = fork_inside(&child);

	ck_assert(!may_hold()); /* while the holder lives, it is the holder that holds */
	puppet_die(&holder);
	ck_assert(may_hold());
	puppet_die(&child);
	ck_assert(may_hold());
	puppet_die(&grandchild);
	ck_assert(!may_hold());
}

START_TEST(an_orphan_of_a_holder_may_hold)
{
	play(play_an_orphan);
}
END_TEST

/* The kernel gives the orphan to the reaper inside, as if that had started it; the session tells. */
static void play_an_orphan_of_a_reaper(void)
{
	struct puppet reaper = new_inside();

	ck_assert_int_eq(puppet_do(&reaper, act_reap, 0), 0);

	struct puppet holder = fork_inside(&reaper);

	ck_assert_int_eq(puppet_do(&holder, act_lead_a_session, 0), 0);
	give();

	struct puppet child = fork_inside(&holder);

	ck_assert(!may_hold());
	puppet_exit(&holder, 0);
	ck_assert(may_hold());

	struct puppet grandchild = fork_inside(&child);

	puppet_exit(&child, 0);
	ck_assert(may_hold());
	puppet_exit(&grandchild, 0);
	ck_assert(!may_hold());
}

START_TEST(an_orphan_that_a_reaper_inside_has_adopted_may_hold)
{
	play(play_an_orphan_of_a_reaper);
}
END_TEST

static void play_any_parent(void)
{
	struct puppet old = new_inside();

	give();
	ck_assert(!may_hold_of_anybody());

	struct puppet child = fork_inside(&old);

	ck_assert(may_hold_of_anybody());
	ck_assert(!may_hold());
	puppet_exit(&child, 0);
	ck_assert(!may_hold_of_anybody());
}

START_TEST(where_any_parent_counts_a_young_process_is_enough)
{
	play(play_any_parent);
}
END_TEST

static void play_nested(void)
{
	struct unit_place worker, deeper;
	struct puppet old = new_inside();

	unit_place_below(&place, "worker", &worker);
	unit_place_below(&worker, "deeper", &deeper);
	give();

	struct puppet child = puppet_fork(&old);

	unit_place_join(&deeper, &child);
	ck_assert(!may_hold()); /* its parent is above it in the same unit */
	ck_assert(has_children(&old));

	struct puppet young = puppet_new();

	unit_place_join(&deeper, &young);
	ck_assert(may_hold());
	puppet_die(&young);
	ck_assert(!may_hold());
	puppet_exit(&old, 0);
	ck_assert(may_hold());
	puppet_die(&child);
	unit_place_remove(&deeper);
	unit_place_remove(&worker);
}

START_TEST(what_is_nested_below_a_unit_belongs_to_it)
{
	play(play_nested);
}
END_TEST

/* ---- doubt ---- */

START_TEST(a_tree_that_is_too_deep_is_in_doubt)
{
	enum { DEEP = 33 };
	struct unit_place below[DEEP];

	unit_place_plain(&place);
	for (int i = 0; i < DEEP; i++)
		unit_place_below(i == 0 ? &place : &below[i - 1], "d", &below[i]);
	given = process_now_ticks();
	ck_assert(may_hold());
	unit_place_remove(&below[DEEP - 1]);
	ck_assert(may_hold()); /* the one above it is as deep as is read */
	unit_place_remove(&below[DEEP - 2]);
	ck_assert(!may_hold());
	for (int i = DEEP - 3; i >= 0; i--)
		unit_place_remove(&below[i]);
	unit_place_remove(&place);
}
END_TEST

static const char *list_path(void)
{
	static char path[320];

	snprintf(path, sizeof(path), "%s/cgroup.procs", place.directory);
	return path;
}

static void remove_list(void)
{
	ck_assert_int_eq(unlink(list_path()), 0);
}

static void write_list(const char *text)
{
	int fd = open(list_path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(a_list_that_is_not_understood_is_in_doubt)
{
	/* 0 is what the kernel writes for a process of another pid namespace. */
	static const char *const lists[] = {
		"0\n", "1\n0\n", "-1\n", "1", "1 2\n", "x\n", "1\nx\n", "\n", "99999999999999999999\n"};

	unit_place_plain(&place);
	given = process_now_ticks() + 1000;
	ck_assert(!may_hold());
	remove_list();
	ck_assert(may_hold());
	write_list("");
	ck_assert(!may_hold());
	write_list("1\n");
	ck_assert(!may_hold());
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		write_list(lists[i]);
		ck_assert_msg(may_hold(), "\"%s\" is no doubt", lists[i]);
	}
	unit_place_remove(&place);
}
END_TEST

/* Each line is a process that is older; there are only too many to be sure. */
START_TEST(more_processes_than_are_looked_at_are_in_doubt)
{
	enum { LOOKED_AT = 4096 };
	static char list[2 * (LOOKED_AT + 1) + 1];

	unit_place_plain(&place);
	given = process_now_ticks() + 1000;
	for (size_t i = 0; i < LOOKED_AT; i++)
		memcpy(list + 2 * i, "1\n", 3);
	write_list(list);
	ck_assert(!may_hold());
	strcat(list, "1\n");
	write_list(list);
	ck_assert(may_hold());
	unit_place_remove(&place);
}
END_TEST

/* ---- children of a live one ---- */

static void play_children(void)
{
	struct puppet one = new_inside(), other = new_inside();
	struct puppet early = fork_inside(&one);

	give();
	ck_assert(!has_children(&one));

	struct puppet child = fork_inside(&one);
	struct puppet grandchild = fork_inside(&child);

	ck_assert(has_children(&one));
	ck_assert(!has_children(&other));
	ck_assert(!has_children(&early));
	ck_assert(has_children(&child)); /* a process can be as young as what it was given */
	ck_assert(!has_children(&grandchild));
	puppet_exit(&grandchild, 0);
	puppet_exit(&child, 0);
	ck_assert(!has_children(&one));

	/* What is started by an older child descends from that one. */
	struct puppet of_early = fork_inside(&early);

	ck_assert(has_children(&early));
	ck_assert(!has_children(&one));
	puppet_exit(&of_early, 0);
}

START_TEST(a_live_process_has_the_young_ones_below_it)
{
	play(play_children);
}
END_TEST

UNIT_MAIN("descent", an_empty_unit_holds_nothing, a_process_that_was_there_before_inherited_nothing,
	a_young_child_of_an_old_process_is_that_ones, a_zombie_has_no_memory_any_more,
	another_incarnation_of_the_unit_holds_nothing, a_young_process_with_its_parent_outside_may_hold,
	an_orphan_of_a_holder_may_hold, an_orphan_that_a_reaper_inside_has_adopted_may_hold,
	where_any_parent_counts_a_young_process_is_enough, what_is_nested_below_a_unit_belongs_to_it,
	a_tree_that_is_too_deep_is_in_doubt, a_list_that_is_not_understood_is_in_doubt,
	more_processes_than_are_looked_at_are_in_doubt, a_live_process_has_the_young_ones_below_it)
