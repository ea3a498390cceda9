DELETE FROM {schema}.parked_events WHERE subscription = $1::text AND global_position = $2::bigint
RETURNING global_position
