SELECT global_position, stream_id, version, event_id, event_type, data::text, metadata::text, timestamptz_send(timestamp)
FROM {schema}.events
WHERE global_position > $1::bigint AND global_position <= $2::bigint {filter}
ORDER BY global_position {order}
LIMIT (SELECT $3::bigint)
