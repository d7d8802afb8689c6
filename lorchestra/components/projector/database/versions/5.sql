-- Fields that can be searched by name: schemas give them names (`x-field`), and the full text has a column for each of
-- a type. Texts go in with CJK as pairs of characters, so an older index has to be built again.
CREATE TABLE text_field (
    type INTEGER NOT NULL REFERENCES type,
    name TEXT NOT NULL,
    no INTEGER NOT NULL,
    PRIMARY KEY (type, name)
) STRICT, WITHOUT ROWID;
DROP TABLE fulltext;
CREATE VIRTUAL TABLE fulltext USING fts5(
    title, body, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, content='', tokenize="unicode61 remove_diacritics 2"
);
INSERT INTO fulltext (fulltext, rank) VALUES ('secure-delete', 1);
INSERT INTO fulltext (fulltext, rank) VALUES ('hashsize', 67108864);
