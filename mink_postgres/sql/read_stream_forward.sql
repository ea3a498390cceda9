SELECT global_position, stream_id, version, event_id, event_type, data::text, metadata::text, timestamptz_send(timestamp)
FROM {schema}.events
WHERE stream_id = $1::text AND version > greatest($2::bigint, coalesce((SELECT t.hidden_version FROM {schema}.stream_states AS t WHERE t.stream_id = $1::text), 0))
ORDER BY version
LIMIT (SELECT $3::bigint)
