-- What objects mean, as `embed` found: 384 float32 of unit length, by the model that is named. Rebuilt at will.
CREATE TABLE embedding (
    object INTEGER PRIMARY KEY REFERENCES object,
    model TEXT NOT NULL,
    vector BLOB NOT NULL CHECK (length(vector) = 1536)
) STRICT;
