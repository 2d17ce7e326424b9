-- The store's schema, version 2: staged versions and their tests; who may still hold what a run was given.

-- A tester's grant: it matches only fetches of staged values.
ALTER TABLE grant_rule ADD COLUMN staged_only INTEGER NOT NULL DEFAULT 0 CHECK (staged_only IN (0, 1));

-- The highest version number of keys that were removed: one that comes back goes on from it.
CREATE TABLE removed_secret (
	integration_id BLOB NOT NULL REFERENCES integration (id),
	"key" TEXT NOT NULL,
	newest INTEGER NOT NULL CHECK (newest >= 0),
	rv INTEGER NOT NULL,
	mac BLOB,
	PRIMARY KEY (integration_id, "key")
) STRICT, WITHOUT ROWID;

-- Verdicts of tests, by version.
CREATE TABLE test (
	integration_id BLOB NOT NULL,
	"key" TEXT NOT NULL,
	version INTEGER NOT NULL CHECK (version > 0),
	no INTEGER NOT NULL CHECK (no > 0), -- in the order in which they came
	run TEXT NOT NULL CHECK (length(run) = 26),
	time_ms INTEGER NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	exit_status INTEGER NOT NULL CHECK (exit_status BETWEEN 0 AND 255), -- 0: passed
	duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
	digest BLOB NOT NULL CHECK (length(digest) = 32), -- of the command
	rv INTEGER NOT NULL,
	mac BLOB,
	PRIMARY KEY (integration_id, "key", version, no),
	UNIQUE (integration_id, "key", version, run),
	FOREIGN KEY (integration_id, "key", version) REFERENCES version (integration_id, "key", version)
) STRICT, WITHOUT ROWID;

-- What a run's process is, beyond a pid that may come again: in force while its state is held (0) or unknown (1); then
-- again (2: the same process was given the same versions before, and that row stands for both), released (3), ended (4).
-- Runs of schema 1 were not followed: whether their processes live is unknown.
ALTER TABLE run ADD COLUMN staged INTEGER NOT NULL DEFAULT 0 CHECK (staged IN (0, 1));
ALTER TABLE run ADD COLUMN state INTEGER NOT NULL DEFAULT 1 CHECK (state BETWEEN 0 AND 4);
ALTER TABLE run ADD COLUMN repeated INTEGER NOT NULL DEFAULT 0 CHECK (repeated IN (0, 1)); -- rows of state again belong to it
ALTER TABLE run ADD COLUMN start_ticks INTEGER NOT NULL DEFAULT 0 CHECK (start_ticks >= 0); -- of the process; 0: not known
ALTER TABLE run ADD COLUMN given_ticks INTEGER NOT NULL DEFAULT 0 CHECK (given_ticks >= 0); -- time_ms on the same clock
ALTER TABLE run ADD COLUMN boot TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN exe TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN invocation TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN cgroup TEXT NOT NULL DEFAULT ''; -- the unit's directory
ALTER TABLE run ADD COLUMN cgroup_id INTEGER NOT NULL DEFAULT 0; -- its inode
ALTER TABLE run ADD COLUMN end_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN end_status INTEGER CHECK (end_status BETWEEN 0 AND 65535); -- as wait(2) has it; NULL: nobody told

CREATE UNIQUE INDEX run_by_id ON run (id);
CREATE INDEX run_of ON run (integration_id, no);
CREATE INDEX run_held ON run (no) WHERE state < 2;

-- Units in which children of a holder that has ended may live: at most one row per version and invocation.
CREATE TABLE unit_holder (
	integration_id BLOB NOT NULL CHECK (length(integration_id) = 16),
	"key" TEXT NOT NULL,
	version INTEGER NOT NULL CHECK (version >= 0),
	cgroup_id INTEGER NOT NULL,
	boot TEXT NOT NULL,
	unit TEXT NOT NULL,
	invocation TEXT NOT NULL,
	cgroup TEXT NOT NULL,
	given_ms INTEGER NOT NULL,
	given_ticks INTEGER NOT NULL CHECK (given_ticks >= 0),
	any_parent INTEGER NOT NULL CHECK (any_parent IN (0, 1)), -- whoever is younger counts, whoever its parents are
	PRIMARY KEY (integration_id, "key", version, cgroup_id, boot)
) STRICT, WITHOUT ROWID;

-- Runs, folded per user: who has ever been given a version.
CREATE TABLE use_by (
	integration_id BLOB NOT NULL CHECK (length(integration_id) = 16),
	"key" TEXT NOT NULL,
	version INTEGER NOT NULL CHECK (version >= 0),
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	fetches INTEGER NOT NULL CHECK (fetches > 0),
	last_ms INTEGER NOT NULL,
	PRIMARY KEY (integration_id, "key", version, uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX use_by_uid ON use_by (uid);

-- All runs are still there: they are folded once more, now by user as well.
DELETE FROM use_total;
UPDATE state SET runs_folded = 0;
