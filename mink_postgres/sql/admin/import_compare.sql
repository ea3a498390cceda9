SELECT e.global_position, e.stream_id, e.version, e.event_id, e.event_type, e.data::text, e.metadata::text,
    timestamptz_send(e.timestamp)
FROM unnest(%s::text[], %s::bigint[]) AS g (name, version)
JOIN {schema}.events AS e ON e.stream_id = g.name AND e.version = g.version
