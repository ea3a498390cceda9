SELECT event_id, event_type FROM {schema}.events WHERE stream_id = $1::text AND version = $2::bigint
