-- What a snapshot has beyond the decided table: `snapshots` holds each stream's newest one, this table
-- every snapshot's type and shape, and the data of the older ones that are kept.
CREATE TABLE {schema}.snapshot_details (
    stream_id VARCHAR(500) NOT NULL,
    version BIGINT NOT NULL,
    snapshot_type VARCHAR(500) NOT NULL DEFAULT '',
    schema_version INTEGER NOT NULL DEFAULT 1,
    is_json BOOLEAN NOT NULL DEFAULT FALSE,
    data BYTEA, -- NULL for the newest
    created_at TIMESTAMPTZ,
    PRIMARY KEY (stream_id, version)
);
CREATE INDEX idx_snapshots_stream_id_c ON {schema}.snapshots (stream_id COLLATE "C");

-- Both tables as one, for a stream. A row that other software wrote to `snapshots` has no details, and is
-- bytes. A function rather than a view: it runs with the rights of who calls it.
CREATE FUNCTION {schema}.all_snapshots(p_stream text) RETURNS TABLE (
    version bigint, data bytea, created_at timestamptz, snapshot_type varchar, schema_version integer, is_json boolean
) LANGUAGE sql STABLE AS $$
    SELECT s.version, s.data, s.created_at, coalesce(d.snapshot_type, ''), coalesce(d.schema_version, 1),
        coalesce(d.is_json, FALSE)
    FROM {schema}.snapshots AS s
    LEFT JOIN {schema}.snapshot_details AS d ON d.stream_id = s.stream_id AND d.version = s.version
    WHERE s.stream_id = p_stream
    UNION ALL
    SELECT d.version, d.data, d.created_at, d.snapshot_type, d.schema_version, d.is_json
    FROM {schema}.snapshot_details AS d
    WHERE d.stream_id = p_stream AND d.data IS NOT NULL
$$;

-- The newest version wins: false where a newer one stands.
CREATE FUNCTION {schema}.save_snapshot(
    p_stream text, p_version bigint, p_data bytea, p_type text, p_shape integer, p_json boolean, p_keep integer
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    before {schema}.snapshots;
BEGIN
    LOOP
        SELECT * INTO before FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream FOR UPDATE;
        IF FOUND THEN
            IF before.version > p_version THEN
                RETURN false;
            END IF;
            IF p_keep > 1 AND before.version < p_version THEN
                INSERT INTO {schema}.snapshot_details AS d (stream_id, version, data, created_at)
                VALUES (p_stream, before.version, before.data, before.created_at)
                ON CONFLICT (stream_id, version) DO UPDATE SET data = excluded.data, created_at = excluded.created_at;
            END IF;
            UPDATE {schema}.snapshots AS s SET version = p_version, data = p_data, created_at = clock_timestamp()
            WHERE s.stream_id = p_stream;
            EXIT;
        END IF;
        INSERT INTO {schema}.snapshots (stream_id, version, data, created_at)
        VALUES (p_stream, p_version, p_data, clock_timestamp()) ON CONFLICT (stream_id) DO NOTHING;
        EXIT WHEN FOUND; -- else somebody saved the stream's first one just now
    END LOOP;
    INSERT INTO {schema}.snapshot_details (stream_id, version, snapshot_type, schema_version, is_json)
    VALUES (p_stream, p_version, p_type, p_shape, p_json)
    ON CONFLICT (stream_id, version) DO UPDATE
    SET snapshot_type = excluded.snapshot_type, schema_version = excluded.schema_version,
        is_json = excluded.is_json, data = NULL, created_at = NULL;
    DELETE FROM {schema}.snapshot_details AS d
    WHERE d.stream_id = p_stream AND d.version <= (
        SELECT o.version FROM {schema}.snapshot_details AS o
        WHERE o.stream_id = p_stream ORDER BY o.version DESC OFFSET p_keep LIMIT 1
    );
    RETURN true;
END $$;

CREATE FUNCTION {schema}.delete_snapshots(p_stream text, p_up_to bigint) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    newest integer;
    older integer;
BEGIN
    -- First the row that savers lock, then what hangs on it.
    DELETE FROM {schema}.snapshots WHERE stream_id = p_stream AND version <= p_up_to;
    GET DIAGNOSTICS newest = ROW_COUNT;
    WITH gone AS (
        DELETE FROM {schema}.snapshot_details WHERE stream_id = p_stream AND version <= p_up_to RETURNING data
    )
    SELECT count(*) INTO older FROM gone WHERE gone.data IS NOT NULL;
    RETURN newest + older;
END $$;
