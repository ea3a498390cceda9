DELETE FROM {schema}.idempotency
WHERE key = $1::text AND token = $2::uuid AND NOT completed AND expires_at > clock_timestamp()
RETURNING key
