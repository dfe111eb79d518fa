-- Boxes that are carried on the LAN: ours and others'. An account of zeros is ours. Times are milliseconds.
CREATE TABLE carried (
  id BLOB PRIMARY KEY NOT NULL,
  ciphertext BLOB NOT NULL,
  signature BLOB NOT NULL,
  guest INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  hops INTEGER,
  account BLOB,
  only_for BLOB,
  at INTEGER
) WITHOUT ROWID, STRICT;

CREATE INDEX carried_segment ON carried (segment);

-- Boxes that came by the LAN and that the hub of their conversation may lack: by the network place's hash.
CREATE TABLE owed (
  place BLOB NOT NULL,
  id BLOB NOT NULL,
  PRIMARY KEY (place, id)
) WITHOUT ROWID, STRICT;
