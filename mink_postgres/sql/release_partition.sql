UPDATE {schema}.subscription_leases SET owner = NULL
WHERE subscription = $1::text AND partition = $2::integer AND token = $3::bigint
