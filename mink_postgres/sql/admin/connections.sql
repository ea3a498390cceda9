SELECT count(*), count(*) FILTER (WHERE datname = current_database()),
    count(*) FILTER (WHERE state LIKE 'idle in transaction%'), pg_is_in_recovery(),
    (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user),
    pg_has_role('pg_read_all_stats', 'USAGE')
FROM pg_stat_activity
WHERE backend_type = 'client backend'
