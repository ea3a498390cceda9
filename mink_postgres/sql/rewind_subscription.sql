SELECT {schema}.rewind_subscription($1::text, $2::bigint)
