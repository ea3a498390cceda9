SELECT c.projection_name, c.position, i.store, i.epoch, c.updated_at AT TIME ZONE 'UTC'
FROM {schema}.checkpoints AS c LEFT JOIN {schema}.checkpoint_identities AS i USING (projection_name)
ORDER BY c.projection_name COLLATE "C"
