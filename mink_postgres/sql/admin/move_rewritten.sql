-- Streams that privacy operations have worked on since the copy was begun.
SELECT DISTINCT a.stream_id::text FROM {schema}.privacy_audit AS a
WHERE a.id > coalesce(obj_description('{schema}.{copy}'::regclass, 'pg_class'), '0')::bigint
