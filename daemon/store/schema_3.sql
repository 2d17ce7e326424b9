-- The store's schema, version 3: who answers for an integration, who else may work on it, what a second person must approve.

-- Set when the integration is made and never unset: another grant then destroys its values.
ALTER TABLE integration ADD COLUMN lock_grants INTEGER NOT NULL DEFAULT 0 CHECK (lock_grants IN (0, 1));
ALTER TABLE integration ADD COLUMN owner_uid INTEGER CHECK (owner_uid BETWEEN 0 AND 4294967295); -- NULL: the owner was no user of this host
ALTER TABLE integration ADD COLUMN state_ms INTEGER NOT NULL DEFAULT 0; -- when it got its state; 0: when it was made
ALTER TABLE integration ADD COLUMN reviewed_ms INTEGER NOT NULL DEFAULT 0; -- 0: never
ALTER TABLE integration ADD COLUMN reviewed_by INTEGER NOT NULL DEFAULT 0 CHECK (reviewed_by BETWEEN 0 AND 4294967295);
ALTER TABLE integration ADD COLUMN rotate_reason TEXT;

ALTER TABLE secret ADD COLUMN access TEXT;

ALTER TABLE grant_rule ADD COLUMN token INTEGER NOT NULL DEFAULT 0 CHECK (token IN (0, 1)); -- a live token is a condition, too

-- Highest numbers ever given; and the end of what was archived: the first record that is left follows this one.
ALTER TABLE state ADD COLUMN tokens_made INTEGER NOT NULL DEFAULT 0 CHECK (tokens_made >= 0);
ALTER TABLE state ADD COLUMN approvals_made INTEGER NOT NULL DEFAULT 0 CHECK (approvals_made >= 0);
ALTER TABLE state ADD COLUMN audit_cut_seq INTEGER NOT NULL DEFAULT 0 CHECK (audit_cut_seq >= 0);
ALTER TABLE state ADD COLUMN audit_cut_hash BLOB NOT NULL
	DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000' CHECK (length(audit_cut_hash) = 32);
-- What the records that are left take up: see record_bytes in audit_rows.c.
ALTER TABLE state ADD COLUMN audit_bytes INTEGER NOT NULL DEFAULT 0 CHECK (audit_bytes >= 0);
UPDATE state SET audit_bytes = (SELECT coalesce(sum(128 + length(CAST(
	kind || outcome || unit || integration || "key" || run || subject || detail AS BLOB))), 0) FROM audit);

-- Every change of what is documented about an integration or one of its secrets, and of the states of their versions.
CREATE TABLE change (
	integration_id BLOB NOT NULL REFERENCES integration (id),
	no INTEGER NOT NULL CHECK (no > 0), -- in the order in which they came
	time_ms INTEGER NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	approved_by INTEGER CHECK (approved_by BETWEEN 0 AND 4294967295), -- NULL: nobody had to
	"key" TEXT NOT NULL, -- of the secret; '': of the integration
	version INTEGER NOT NULL CHECK (version >= 0), -- 0: not of a version
	field TEXT NOT NULL,
	old TEXT,
	new TEXT,
	reason TEXT,
	rv INTEGER NOT NULL,
	mac BLOB,
	PRIMARY KEY (integration_id, no)
) STRICT, WITHOUT ROWID;

-- managed_by of the integration, as numbers.
CREATE TABLE manager (
	integration_id BLOB NOT NULL REFERENCES integration (id),
	is_group INTEGER NOT NULL CHECK (is_group IN (0, 1)),
	id INTEGER NOT NULL CHECK (id BETWEEN 0 AND 4294967295),
	rv INTEGER NOT NULL,
	mac BLOB,
	PRIMARY KEY (integration_id, is_group, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX manager_by_id ON manager (is_group, id);

CREATE TABLE token (
	id INTEGER NOT NULL PRIMARY KEY CHECK (id > 0), -- from state.tokens_made: never reused
	integration_id BLOB NOT NULL REFERENCES integration (id),
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	"user" TEXT NOT NULL,
	unit TEXT,
	epoch INTEGER NOT NULL CHECK (epoch >= 0), -- of the key that made the verifier
	verifier BLOB NOT NULL CHECK (length(verifier) = 32),
	expires_ms INTEGER NOT NULL, -- 0: never
	created_ms INTEGER NOT NULL,
	created_by INTEGER NOT NULL CHECK (created_by BETWEEN 0 AND 4294967295),
	last_used_ms INTEGER NOT NULL, -- 0: never
	revoked_ms INTEGER NOT NULL, -- 0: it is not
	revoked_by INTEGER NOT NULL CHECK (revoked_by BETWEEN 0 AND 4294967295),
	rv INTEGER NOT NULL,
	mac BLOB
) STRICT;

CREATE UNIQUE INDEX token_by_name ON token (integration_id, name) WHERE revoked_ms = 0;

-- What waits for a second person, and what became of it.
CREATE TABLE approval (
	id INTEGER NOT NULL PRIMARY KEY CHECK (id > 0), -- from state.approvals_made
	integration_id BLOB NOT NULL REFERENCES integration (id),
	method TEXT NOT NULL,
	params TEXT NOT NULL CHECK (length(params) <= 131072), -- as they were asked for; never with a value
	subject TEXT NOT NULL, -- what it would do, for people
	object BLOB NOT NULL CHECK (length(object) = 32), -- digest of what it would change, as it was then
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	login_uid INTEGER CHECK (login_uid BETWEEN 0 AND 4294967295), -- NULL: no login
	requested_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3), -- pending, approved, rejected, expired
	decided_ms INTEGER NOT NULL, -- 0: not yet
	decided_by INTEGER NOT NULL CHECK (decided_by BETWEEN 0 AND 4294967295),
	note TEXT,
	request_id TEXT, -- NULL: the requester gave none
	used_ms INTEGER NOT NULL, -- when what was approved was taken by its requester, 0: not, or it was done at once
	rv INTEGER NOT NULL,
	mac BLOB
) STRICT;

CREATE INDEX approval_open ON approval (id) WHERE state = 0;
CREATE INDEX approval_by_request_id ON approval (uid, request_id) WHERE request_id IS NOT NULL;

-- An alert that somebody has seen: it stays quiet until a time, or until it begins anew or is worse.
CREATE TABLE alert_ack (
	alert TEXT NOT NULL PRIMARY KEY CHECK (length(alert) <= 400),
	since_ms INTEGER NOT NULL, -- of the alert
	severity INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 2), -- the same: critical, warning, notice
	until_ms INTEGER NOT NULL,
	time_ms INTEGER NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	note TEXT NOT NULL,
	rv INTEGER NOT NULL,
	mac BLOB
) STRICT, WITHOUT ROWID;

-- Runs, folded per UTC day (days since the epoch) and user; runs with staged values are tests and not in here.
CREATE TABLE use_day (
	integration_id BLOB NOT NULL CHECK (length(integration_id) = 16),
	day INTEGER NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	fetches INTEGER NOT NULL CHECK (fetches > 0), -- runs; use_by counts each value
	last_ms INTEGER NOT NULL,
	PRIMARY KEY (integration_id, day, uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX use_day_by_day ON use_day (day);

-- Every refused fetch, also those that share an audit record.  Few rows a day: 4294967295 is no user, but all others.
CREATE TABLE refused_day (
	integration_id BLOB NOT NULL CHECK (length(integration_id) = 16),
	day INTEGER NOT NULL,
	outcome TEXT NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	"count" INTEGER NOT NULL CHECK ("count" > 0),
	last_ms INTEGER NOT NULL,
	PRIMARY KEY (integration_id, day, outcome, uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX refused_day_by_day ON refused_day (day);

-- How the last run of an integration ended, which is asked for all of them at once.
CREATE INDEX run_last_ended ON run (integration_id, end_ms) WHERE end_status IS NOT NULL AND staged = 0;

-- All runs are still there: they are folded once more, now by day and user; use_by has all that use_total had to tell.
DROP TABLE use_total;
DELETE FROM use_by;
UPDATE state SET runs_folded = 0;
