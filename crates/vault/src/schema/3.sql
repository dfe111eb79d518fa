-- Local time when the message was kept: what `keep = "30d"` counts from. Nothing from outside sets it.
ALTER TABLE message ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0;
UPDATE message SET kept_at = received_at;
DROP INDEX message_received;
CREATE INDEX message_kept ON message (kept_at);

-- Where local time goes on at the next start: one row.
CREATE TABLE clock (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  local INTEGER NOT NULL,
  wall INTEGER NOT NULL
) STRICT;
