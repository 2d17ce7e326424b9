-- The store's schema, version 4: credentials of units.

-- What a name in LoadCredential= means for the unit of a grant, where it is not the key itself.
CREATE TABLE credential (
	unit TEXT NOT NULL, -- the grant's, name or pattern
	name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 79),
	"key" TEXT NOT NULL,
	grant_id INTEGER NOT NULL REFERENCES grant_rule (id),
	rv INTEGER NOT NULL,
	mac BLOB,
	PRIMARY KEY (unit, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX credential_of ON credential (grant_id);

-- A unit that starts asks by its name.
CREATE INDEX grant_by_unit ON grant_rule (unit);

-- Connections of the service manager that a value left under: one that comes back after a crash gets no second one.
CREATE TABLE delivery (
	id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 32), -- the connection's name in the fd store
	time_ms INTEGER NOT NULL,
	run TEXT NOT NULL CHECK (length(run) = 26),
	rv INTEGER NOT NULL,
	mac BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_by_time ON delivery (time_ms);
