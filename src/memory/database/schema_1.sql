-- Times are microseconds since 1970-01-01 UTC. Deletes are real deletes.
CREATE TABLE migrations (
    number     INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE items (
    seq        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    content    TEXT NOT NULL,
    category   TEXT NOT NULL,
    tags       TEXT NOT NULL CHECK (json_valid(tags)),
    -- Character pairs of scripts that write no spaces (memory/grams.rs); NULL for most items.
    grams      TEXT,
    source     TEXT NOT NULL,
    confidence REAL NOT NULL CHECK (confidence >= 0.0 AND confidence <= 1.0),
    trust      TEXT NOT NULL CHECK (trust IN ('person', 'agent', 'untrusted')),
    provenance TEXT CHECK (provenance IS NULL OR json_valid(provenance)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX items_by_category ON items (category, updated_at);
CREATE INDEX items_by_time ON items (updated_at);

-- Tags one by one, for exact filters; kept in step by the triggers below.
CREATE TABLE item_tags (
    tag  TEXT NOT NULL,
    item INTEGER NOT NULL REFERENCES items (seq) ON DELETE CASCADE,
    PRIMARY KEY (tag, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_tags_by_item ON item_tags (item);

CREATE VIRTUAL TABLE item_words USING fts5 (
    content, category, tags, grams,
    content = 'items', content_rowid = 'seq',
    tokenize = 'unicode61 remove_diacritics 2'
);
-- A deleted item leaves no words behind in the index.
INSERT INTO item_words (item_words, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER items_inserted AFTER INSERT ON items BEGIN
    INSERT INTO item_words (rowid, content, category, tags, grams)
        VALUES (new.seq, new.content, new.category, new.tags, new.grams);
    INSERT OR IGNORE INTO item_tags (tag, item) SELECT value, new.seq FROM json_each(new.tags);
END;
CREATE TRIGGER items_deleted AFTER DELETE ON items BEGIN
    INSERT INTO item_words (item_words, rowid, content, category, tags, grams)
        VALUES ('delete', old.seq, old.content, old.category, old.tags, old.grams);
END;
CREATE TRIGGER items_updated AFTER UPDATE OF seq, content, category, tags, grams ON items BEGIN
    INSERT INTO item_words (item_words, rowid, content, category, tags, grams)
        VALUES ('delete', old.seq, old.content, old.category, old.tags, old.grams);
    INSERT INTO item_words (rowid, content, category, tags, grams)
        VALUES (new.seq, new.content, new.category, new.tags, new.grams);
    DELETE FROM item_tags WHERE item = old.seq;
    INSERT OR IGNORE INTO item_tags (tag, item) SELECT value, new.seq FROM json_each(new.tags);
END;

CREATE TABLE sessions (
    seq        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    title      TEXT NOT NULL,
    model      TEXT NOT NULL,
    cwd        TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_time ON sessions (updated_at);

CREATE TABLE session_messages (
    seq      INTEGER PRIMARY KEY,
    session  INTEGER NOT NULL REFERENCES sessions (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    role     TEXT NOT NULL,
    body     TEXT NOT NULL CHECK (json_valid(body)),
    said_at  INTEGER NOT NULL,
    UNIQUE (session, position)
) STRICT;

CREATE TABLE session_events (
    seq      INTEGER PRIMARY KEY,
    session  INTEGER NOT NULL REFERENCES sessions (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    body     TEXT NOT NULL CHECK (json_valid(body)),
    UNIQUE (session, position)
) STRICT;
