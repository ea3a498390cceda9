SELECT count(*) FILTER (WHERE status IN ('pending', 'waiting', 'claimed') AND due_at <= clock_timestamp()),
    coalesce(extract(epoch FROM clock_timestamp() - min(due_at) FILTER (WHERE status IN ('pending', 'waiting', 'claimed'))), 0)::float8,
    count(*) FILTER (WHERE status = 'dead')
FROM {schema}.outbox
WHERE status IN ('pending', 'waiting', 'claimed', 'dead')
