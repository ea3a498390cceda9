UPDATE {schema}.stream_states SET deleted_at = NULL WHERE stream_id = ANY (%s::text[]) AND deleted_at IS NOT NULL
