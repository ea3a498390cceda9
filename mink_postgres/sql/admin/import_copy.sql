COPY {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp) FROM STDIN (FORMAT binary)
