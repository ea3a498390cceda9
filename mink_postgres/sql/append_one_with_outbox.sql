SELECT outcome, actual, first_position, last_position, duplicate
FROM {schema}.append_one_with_outbox(
    $1::text, $2::text, $3::bigint, $4::text::uuid, $5::text, $6::text::{json}, $7::text::{json}, $8::text::uuid[], $9::text::json
)
