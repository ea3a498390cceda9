SELECT subscription, count(*), extract(epoch FROM clock_timestamp() - min(parked_at))::float8
FROM {schema}.parked_events
GROUP BY subscription
ORDER BY subscription
