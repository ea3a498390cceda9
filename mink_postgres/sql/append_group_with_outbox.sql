-- JSON a row at a time: see append_group.sql.
SELECT outcome, actual, first_position, last_position, duplicate
FROM {schema}.append_group_with_outbox(
    $1::text[], $2::bigint[], $3::integer[], $4::text[]::uuid[], $5::text[],
    ARRAY(SELECT d::{json} FROM unnest($6::text[]) AS d), ARRAY(SELECT m::{json} FROM unnest($7::text[]) AS m),
    $8::integer[], $9::text[]::uuid[], $10::text[],
    ARRAY(SELECT p::{json} FROM unnest($11::text[]) AS p), ARRAY(SELECT h::{json} FROM unnest($12::text[]) AS h),
    $13::text[], $14::text[]::uuid[], $15::boolean[], $16::float8[], $17::integer[]
)
