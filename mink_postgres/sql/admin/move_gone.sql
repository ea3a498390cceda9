-- What privacy operations have removed since it was copied: somebody may use an event id of it again, which the copy's
-- unique index would refuse.
DELETE FROM {schema}.{copy} AS c
WHERE c.stream_id = ANY ($1::text[])
    AND NOT EXISTS (SELECT FROM {schema}.events AS e WHERE e.global_position = c.global_position)
