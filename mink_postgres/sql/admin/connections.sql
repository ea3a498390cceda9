SELECT count(*), count(*) FILTER (WHERE datname = current_database()),
    count(*) FILTER (WHERE state LIKE 'idle in transaction%'), pg_is_in_recovery(),
    (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user),
    pg_has_role('pg_read_all_stats', 'USAGE'),
    -- What the role that has logged in, and the database, may have; -1 is no limit, and a superuser has none.
    (
        SELECT min(l.most) FROM (
            SELECT r.rolconnlimit FROM pg_roles AS r WHERE r.rolname = session_user AND NOT r.rolsuper
            UNION ALL
            SELECT d.datconnlimit FROM pg_database AS d WHERE d.datname = current_database()
                AND NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = session_user)
        ) AS l (most)
        WHERE l.most >= 0
    )
FROM pg_stat_activity
WHERE backend_type = 'client backend'
