-- The function in a select list, its row taken apart outside: as a table it would be stored and read back.
SELECT (r).outcome, (r).actual, (r).first_position, (r).last_position, (r).duplicate
FROM (
    SELECT {schema}.append_one(
        $1::text, $2::text, $3::bigint, $4::text::uuid, $5::text, $6::text::{json}, $7::text::{json}
    ) AS r OFFSET 0
) AS answered
