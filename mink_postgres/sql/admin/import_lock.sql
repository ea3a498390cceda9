SELECT stream_id, version, id < 0 AS marked FROM {schema}.streams
WHERE stream_id = ANY (%s::text[])
ORDER BY stream_id COLLATE "C"
FOR UPDATE
