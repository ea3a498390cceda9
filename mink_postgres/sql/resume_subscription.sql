UPDATE {schema}.subscriptions SET paused_at = NULL WHERE name = $1::text RETURNING name
