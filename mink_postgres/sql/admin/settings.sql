SELECT name, setting, coalesce(unit, '') FROM pg_settings
WHERE name = ANY (ARRAY[
    'server_version_num', 'server_encoding', 'fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum',
    'default_transaction_isolation', 'default_transaction_read_only', 'max_locks_per_transaction', 'max_connections',
    'superuser_reserved_connections', 'idle_in_transaction_session_timeout', 'synchronous_standby_names'
])
