-- What `verify` compares: a digest of the file in rejects/ (of no bytes if there is none), and one of the row itself.
-- NULL: not known, because the row is older than the column or was written by `repair`.
ALTER TABLE file ADD COLUMN rejects BLOB;
ALTER TABLE file ADD COLUMN seal BLOB;
UPDATE file SET holdings = NULL;
