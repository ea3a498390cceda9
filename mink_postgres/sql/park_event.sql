INSERT INTO {schema}.parked_events AS p
    (subscription, global_position, stream_id, version, event_type, attempts, error, parked_at)
VALUES (
    $1::text, $2::bigint, $3::text, $4::bigint, $5::text, $6::integer, $7::text, clock_timestamp()
)
ON CONFLICT (subscription, global_position) DO UPDATE
SET attempts = excluded.attempts, error = excluded.error, parked_at = excluded.parked_at, replay = FALSE
