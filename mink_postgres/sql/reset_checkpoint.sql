SELECT {schema}.reset_checkpoint($1::text, $2::bigint)
