-- The store's schema, version 1.  It is run once, at creation; afterwards every open compares what the file
-- holds with this text, row by row, and refuses anything that is more, less or different (P7).
--
-- Configuration and secrets carry rv, the number of the commit that wrote the row, and mac, which is NULL
-- until rows are authenticated.  The CHECKs and STRICT types are verified for every row at every open.

-- One row: who this vault is and how far it has come.
CREATE TABLE state (
	one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	vault_id BLOB NOT NULL CHECK (length(vault_id) = 16),
	rkid BLOB NOT NULL CHECK (length(rkid) = 8),
	created_ms INTEGER NOT NULL,
	commit_no INTEGER NOT NULL CHECK (commit_no >= 0),
	audit_seq INTEGER NOT NULL CHECK (audit_seq >= 0),
	audit_head BLOB NOT NULL CHECK (length(audit_head) = 32),
	grants_made INTEGER NOT NULL CHECK (grants_made >= 0), -- highest grant number ever given
	runs_made INTEGER NOT NULL CHECK (runs_made >= 0),     -- highest run number ever given
	runs_folded INTEGER NOT NULL CHECK (runs_folded >= 0), -- runs up to here are in use_total
	mac BLOB
) STRICT;

CREATE TABLE keyring (
	purpose TEXT NOT NULL,
	epoch INTEGER NOT NULL CHECK (epoch >= 0),
	wrapped BLOB NOT NULL,
	rv INTEGER NOT NULL,
	mac BLOB,
	PRIMARY KEY (purpose, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery (
	fingerprint TEXT NOT NULL PRIMARY KEY,
	box BLOB NOT NULL,
	rv INTEGER NOT NULL,
	mac BLOB
) STRICT, WITHOUT ROWID;

-- title to labels are the documented fields, in the order of fields.def.
CREATE TABLE integration (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	name TEXT NOT NULL UNIQUE,
	state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'retired')),
	dek_generation INTEGER NOT NULL CHECK (dek_generation >= 0),
	dek BLOB NOT NULL, -- the data key, wrapped
	created_ms INTEGER NOT NULL,
	created_by INTEGER NOT NULL CHECK (created_by BETWEEN 0 AND 4294967295),
	changed_ms INTEGER NOT NULL,
	changed_by INTEGER NOT NULL CHECK (changed_by BETWEEN 0 AND 4294967295),
	rv INTEGER NOT NULL,
	mac BLOB,
	title TEXT,
	description TEXT,
	owner TEXT,
	contact TEXT,
	backup_contact TEXT,
	purpose TEXT,
	systems TEXT,
	scope TEXT,
	access TEXT,
	"trigger" TEXT,
	schedule TEXT,
	expected_every TEXT,
	environment TEXT,
	docs TEXT,
	approval TEXT,
	rotate_after TEXT,
	review_after TEXT,
	expires_at TEXT,
	rate_limit TEXT,
	test TEXT,
	managed_by TEXT,
	labels TEXT,
	UNIQUE (id, name)
) STRICT;

CREATE TABLE grant_rule (
	id INTEGER NOT NULL PRIMARY KEY CHECK (id > 0), -- from state.grants_made: never reused
	integration_id BLOB NOT NULL,
	integration TEXT NOT NULL, -- its name, which never changes
	uid INTEGER CHECK (uid BETWEEN 0 AND 4294967295),
	"user" TEXT,
	gid INTEGER CHECK (gid BETWEEN 0 AND 4294967295),
	"group" TEXT,
	unit TEXT,
	created_ms INTEGER NOT NULL,
	created_by INTEGER NOT NULL CHECK (created_by BETWEEN 0 AND 4294967295),
	rv INTEGER NOT NULL,
	mac BLOB,
	FOREIGN KEY (integration_id, integration) REFERENCES integration (id, name)
) STRICT;

-- Every fetch asks by uid, in the order of names; NULL, no user condition, is in the index too.
CREATE INDEX grant_by_uid ON grant_rule (uid, integration);
CREATE INDEX grant_by_integration ON grant_rule (integration_id);

CREATE TABLE secret (
	integration_id BLOB NOT NULL REFERENCES integration (id),
	"key" TEXT NOT NULL,
	id BLOB NOT NULL CHECK (length(id) = 16),
	description TEXT,
	issuer TEXT,
	newest INTEGER NOT NULL CHECK (newest >= 0), -- only ever grows
	created_ms INTEGER NOT NULL,
	created_by INTEGER NOT NULL CHECK (created_by BETWEEN 0 AND 4294967295),
	rv INTEGER NOT NULL,
	mac BLOB,
	PRIMARY KEY (integration_id, "key")
) STRICT, WITHOUT ROWID;

-- Clustered by integration: a fetch reads one range.  sealed comes last, so that a row which is passed over
-- costs none of its overflow pages.
CREATE TABLE version (
	integration_id BLOB NOT NULL,
	"key" TEXT NOT NULL,
	version INTEGER NOT NULL CHECK (version > 0),
	state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3), -- staged, current, draining, revoked
	secret_id BLOB NOT NULL CHECK (length(secret_id) = 16),
	dek_generation INTEGER NOT NULL CHECK (dek_generation >= 0),
	value_bytes INTEGER NOT NULL CHECK (value_bytes BETWEEN 0 AND 4294967295), -- the size class
	is_multiline INTEGER NOT NULL CHECK (is_multiline IN (0, 1)),
	note TEXT,
	issuer_ref TEXT,
	expires_ms INTEGER NOT NULL, -- 0: never
	created_ms INTEGER NOT NULL,
	created_by INTEGER NOT NULL CHECK (created_by BETWEEN 0 AND 4294967295),
	changed_ms INTEGER NOT NULL,
	rv INTEGER NOT NULL,
	mac BLOB,
	sealed BLOB,
	PRIMARY KEY (integration_id, "key", version),
	FOREIGN KEY (integration_id, "key") REFERENCES secret (integration_id, "key"),
	CHECK ((state = 3) = (sealed IS NULL)) -- revoked and gone are one thing (P10)
) STRICT, WITHOUT ROWID;

-- One row a fetch.  versions: (u8 length, key, u64 little-endian version) for each value delivered.
CREATE TABLE run (
	no INTEGER NOT NULL PRIMARY KEY CHECK (no > 0), -- from state.runs_made
	id TEXT NOT NULL CHECK (length(id) = 26),
	integration_id BLOB NOT NULL CHECK (length(integration_id) = 16),
	time_ms INTEGER NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	pid INTEGER NOT NULL CHECK (pid BETWEEN -2147483648 AND 2147483647),
	unit TEXT NOT NULL,
	versions BLOB NOT NULL
) STRICT;

-- Runs, folded per UTC day (days since the epoch).
CREATE TABLE use_total (
	integration_id BLOB NOT NULL CHECK (length(integration_id) = 16),
	"key" TEXT NOT NULL,
	version INTEGER NOT NULL CHECK (version >= 0),
	day INTEGER NOT NULL,
	fetches INTEGER NOT NULL CHECK (fetches > 0),
	last_ms INTEGER NOT NULL,
	PRIMARY KEY (integration_id, "key", version, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE result (
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	method TEXT NOT NULL,
	request_id TEXT NOT NULL,
	content_mac BLOB NOT NULL CHECK (length(content_mac) = 32),
	time_ms INTEGER NOT NULL,
	result BLOB NOT NULL,
	PRIMARY KEY (uid, method, request_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX result_by_time ON result (time_ms);

CREATE TABLE refusal (
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	outcome TEXT NOT NULL,
	"count" INTEGER NOT NULL CHECK ("count" BETWEEN 1 AND 4294967295),
	since_ms INTEGER NOT NULL,
	PRIMARY KEY (uid, outcome)
) STRICT, WITHOUT ROWID;

-- Bound by the chain's head in state, and therefore without rv and mac.
CREATE TABLE audit (
	seq INTEGER NOT NULL PRIMARY KEY CHECK (seq > 0),
	time_ms INTEGER NOT NULL,
	kind TEXT NOT NULL,
	outcome TEXT NOT NULL,
	uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	gid INTEGER NOT NULL CHECK (gid BETWEEN 0 AND 4294967295),
	pid INTEGER NOT NULL CHECK (pid BETWEEN -2147483648 AND 2147483647),
	unit TEXT NOT NULL,
	integration TEXT NOT NULL,
	"key" TEXT NOT NULL,
	version INTEGER NOT NULL CHECK (version >= 0),
	object INTEGER NOT NULL CHECK (object >= 0),
	run TEXT NOT NULL,
	subject TEXT NOT NULL CHECK (length(subject) <= 12288),
	repeats INTEGER NOT NULL CHECK (repeats BETWEEN 0 AND 4294967295),
	detail TEXT NOT NULL,
	previous BLOB NOT NULL CHECK (length(previous) = 32),
	hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
