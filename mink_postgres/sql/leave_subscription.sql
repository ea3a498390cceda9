WITH gone AS (
    DELETE FROM {schema}.subscription_workers WHERE subscription = $1::text AND owner = $2::text
)
UPDATE {schema}.subscription_leases SET owner = NULL WHERE subscription = $1::text AND owner = $2::text
