-- The floor under the outbox: one narrow row for each listing, no history, no order of urgency, no words. P9 is measured
-- against claiming and settling here.
DROP SCHEMA IF EXISTS floor_outbox CASCADE;
CREATE SCHEMA floor_outbox;
CREATE TABLE floor_outbox.push (
  id int PRIMARY KEY, channel_id int NOT NULL, sku text NOT NULL, qty int NOT NULL, ver bigint NOT NULL DEFAULT 1,
  sent_qty int, sent_ver bigint NOT NULL DEFAULT 1, lease_until timestamptz, attempts int NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX push_due ON floor_outbox.push (channel_id, id) WHERE ver > sent_ver;
