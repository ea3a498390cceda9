SELECT count(*) FILTER (WHERE timestamp > clock_timestamp() - interval '1 minute'), count(*)
FROM {schema}.events
WHERE timestamp > clock_timestamp() - interval '1 hour'
