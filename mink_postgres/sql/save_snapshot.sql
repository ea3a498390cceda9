SELECT {schema}.save_snapshot($1::text, $2::bigint, $3::bytea, $4::text, $5::integer, $6::boolean, $7::integer)
