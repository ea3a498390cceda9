-- How many events a checkpoint is behind is counted up to a limit, so that the look stays cheap.
SELECT c.projection_name, c.position, extract(epoch FROM clock_timestamp() - c.updated_at)::float8,
    (SELECT count(*) FROM (
        SELECT FROM {schema}.events AS e WHERE e.global_position > c.position LIMIT 10000
    ) AS behind),
    (SELECT extract(epoch FROM clock_timestamp() - e.timestamp)::float8 FROM {schema}.events AS e
     WHERE e.global_position > c.position ORDER BY e.global_position LIMIT 1)
FROM {schema}.checkpoints AS c
ORDER BY 1
