UPDATE {schema}.subscriptions SET paused_at = coalesce(paused_at, clock_timestamp()) WHERE name = $1::text
RETURNING name
