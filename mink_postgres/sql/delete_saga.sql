SELECT deleted, actual FROM {schema}.delete_saga($1::text, $2::bigint)
