CREATE TABLE record (
  space INTEGER NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (space, key)
) WITHOUT ROWID, STRICT;

-- An empty author is this profile. Times are milliseconds.
CREATE TABLE message (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation BLOB NOT NULL,
  id BLOB NOT NULL,
  author BLOB NOT NULL,
  author_name TEXT NOT NULL,
  sent_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  text TEXT NOT NULL,
  reply_to BLOB,
  state INTEGER NOT NULL,
  expires_at INTEGER,
  route TEXT NOT NULL,
  edited INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0,
  seen INTEGER NOT NULL DEFAULT 0,
  UNIQUE (conversation, id, author)
) STRICT;

CREATE INDEX message_of ON message (conversation);
CREATE INDEX message_unseen ON message (conversation) WHERE seen = 0;
CREATE INDEX message_received ON message (received_at);
CREATE INDEX message_expiry ON message (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE reaction (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  message INTEGER NOT NULL REFERENCES message (number) ON DELETE CASCADE,
  author BLOB NOT NULL,
  author_name TEXT NOT NULL,
  emoji TEXT NOT NULL,
  UNIQUE (message, author, emoji)
) STRICT;

-- The index alone, without a second copy of the text; secure-delete takes the words out of it, not only the entry.
CREATE VIRTUAL TABLE message_text USING fts5 (
  words,
  content = '',
  tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co So'"
);
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
  INSERT INTO message_text (rowid, words) VALUES (new.number, words(new.text));
END;
CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
  INSERT INTO message_text (message_text, rowid, words) VALUES ('delete', old.number, words(old.text));
END;
CREATE TRIGGER message_changed AFTER UPDATE OF text ON message BEGIN
  INSERT INTO message_text (message_text, rowid, words) VALUES ('delete', old.number, words(old.text));
  INSERT INTO message_text (rowid, words) VALUES (new.number, words(new.text));
END;
