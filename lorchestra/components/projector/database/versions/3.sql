-- The volatile fields of a record (labels, is_read) change from delivery to delivery without making a new revision.
-- `object.volatile` is a digest of the values that the object's file holds; `holding.delivered` is what a line holds
-- instead, as database/delivery.py writes it, NULL where that is the same.
ALTER TABLE object ADD COLUMN volatile BLOB;
ALTER TABLE holding ADD COLUMN delivered TEXT;
-- A sum over the holdings of a file, by which `verify` notices a line or an object that was changed.
ALTER TABLE file ADD COLUMN holdings INTEGER;
