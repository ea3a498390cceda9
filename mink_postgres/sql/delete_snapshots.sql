SELECT {schema}.delete_snapshots($1::text, $2::bigint)
