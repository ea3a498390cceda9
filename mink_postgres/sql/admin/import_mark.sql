-- An import may be run again when its streams have gone on: deleted is only what ends with a hidden event.
WITH erased AS (
    INSERT INTO {schema}.erasures AS e (stream_id, versions)
    SELECT $1::text, int8multirange(int8range(1, greatest(1, $2::bigint, $3::bigint), '[]'))
    WHERE greatest($2::bigint, $3::bigint) > 0
    ON CONFLICT (stream_id) DO UPDATE SET versions = e.versions + excluded.versions
)
INSERT INTO {schema}.stream_states AS t (stream_id, purged_version, hidden_version, deleted_at, tombstoned_at)
VALUES ($1::text, $2::bigint, $3::bigint, $4::text::timestamptz, $5::text::timestamptz)
ON CONFLICT (stream_id) DO UPDATE SET
    purged_version = greatest(t.purged_version, excluded.purged_version),
    hidden_version = greatest(t.hidden_version, excluded.hidden_version),
    deleted_at = CASE
        WHEN greatest(t.hidden_version, excluded.hidden_version)
            >= (SELECT s.version FROM {schema}.streams AS s WHERE s.stream_id = excluded.stream_id)
        THEN coalesce(t.deleted_at, excluded.deleted_at)
    END,
    tombstoned_at = coalesce(t.tombstoned_at, excluded.tombstoned_at)
