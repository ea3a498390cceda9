-- JSON is made of text a row at a time: of a whole array at once, the server keeps what parsing took until the end.
SELECT outcome, actual, first_position, last_position, duplicate
FROM {schema}.append_group(
    $1::text[], $2::bigint[], $3::integer[], $4::text[]::uuid[], $5::text[],
    ARRAY(SELECT d::{json} FROM unnest($6::text[]) AS d), ARRAY(SELECT m::{json} FROM unnest($7::text[]) AS m),
    NULL
)
