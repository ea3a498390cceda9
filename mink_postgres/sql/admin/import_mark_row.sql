INSERT INTO {schema}.streams AS s (stream_id, category, version) VALUES ($1::text, $2::text, $3::bigint)
ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version WHERE s.version < excluded.version
