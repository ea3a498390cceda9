-- streams() lists in code point order under any collation of the database (READ-09).
CREATE INDEX IF NOT EXISTS idx_streams_stream_id_c ON {schema}.streams (stream_id COLLATE "C");
