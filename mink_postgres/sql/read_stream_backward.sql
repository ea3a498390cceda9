SELECT global_position, stream_id, version, event_id, event_type, data::text, metadata::text, timestamp
FROM {schema}.events
WHERE stream_id = $1::text AND version > $2::bigint AND version < $3::bigint
ORDER BY version DESC
LIMIT $4::bigint
