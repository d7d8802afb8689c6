-- metadata.db: what is known about the objects. It holds no record; `fields_*` and `fulltext` are projections of
-- the objects and can be rebuilt from them at any time. Rows are numbered by layout.row_number.

CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

CREATE TABLE type (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

-- How the records of one schema are read: which fields are the key, volatile, text, time, title. Kept, because a row
-- can only leave the full text by the very text that entered it.
CREATE TABLE reading (
    no INTEGER PRIMARY KEY,
    type INTEGER NOT NULL REFERENCES type,
    schema TEXT NOT NULL,
    rules TEXT NOT NULL,
    properties TEXT NOT NULL,
    UNIQUE (type, schema, rules, properties)
) STRICT;

-- A canonical file as it was when it was last pulled. `missing`: it lay no longer in the input directory.
CREATE TABLE file (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    type INTEGER NOT NULL REFERENCES type,
    date TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    settings TEXT NOT NULL,
    records INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    missing INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One revision of an object. state: 0 current, 1 former, 2 retired.
CREATE TABLE object (
    no INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    revision INTEGER NOT NULL,
    reading INTEGER NOT NULL REFERENCES reading,
    state INTEGER NOT NULL,
    time INTEGER,
    fingerprint BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    indexed INTEGER NOT NULL,
    UNIQUE (id, revision)
) STRICT;

-- Which canonical file holds which revision, and on which line.
CREATE TABLE holding (
    file INTEGER NOT NULL REFERENCES file,
    object INTEGER NOT NULL REFERENCES object,
    line INTEGER NOT NULL,
    PRIMARY KEY (file, object, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX holding_object ON holding (object);

CREATE TABLE tombstone (id BLOB PRIMARY KEY, type INTEGER NOT NULL REFERENCES type) STRICT, WITHOUT ROWID;

-- Counting a million rows takes a fifth of a second: the counts are kept beside them.
CREATE TABLE tally (
    reading INTEGER NOT NULL,
    state INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (reading, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER object_inserted AFTER INSERT ON object BEGIN
    INSERT INTO tally VALUES (new.reading, new.state, 1, new.bytes)
        ON CONFLICT DO UPDATE SET objects = objects + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER object_deleted AFTER DELETE ON object BEGIN
    UPDATE tally SET objects = objects - 1, bytes = bytes - old.bytes
        WHERE reading = old.reading AND state = old.state;
END;
CREATE TRIGGER object_moved AFTER UPDATE OF state ON object WHEN new.state <> old.state BEGIN
    UPDATE tally SET objects = objects - 1, bytes = bytes - old.bytes
        WHERE reading = old.reading AND state = old.state;
    INSERT INTO tally VALUES (new.reading, new.state, 1, new.bytes)
        ON CONFLICT DO UPDATE SET objects = objects + 1, bytes = bytes + excluded.bytes;
END;

-- The columns of the views: property -> column c{no} of fields_{type}. A lazy one is read from the object.
CREATE TABLE field (
    type INTEGER NOT NULL REFERENCES type,
    no INTEGER NOT NULL,
    property TEXT NOT NULL,
    lazy INTEGER NOT NULL,
    PRIMARY KEY (type, property)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE fulltext USING fts5(title, body, content='', tokenize="unicode61 remove_diacritics 2");
INSERT INTO fulltext (fulltext, rank) VALUES ('secure-delete', 1);
INSERT INTO fulltext (fulltext, rank) VALUES ('hashsize', 67108864);
