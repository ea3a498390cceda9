-- The events between two positions, with their payloads as the copy's type. Below a mark of the feed the set is settled, and
-- events never change but by privacy operations, which are gone through again at the end.
WITH copied AS (
    INSERT INTO {schema}.{copy}
    SELECT e.* FROM {schema}.events AS e WHERE e.global_position > $1::bigint AND e.global_position <= $2::bigint
    RETURNING 1
)
SELECT count(*) FROM copied
