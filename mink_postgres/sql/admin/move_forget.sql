DELETE FROM {schema}.{copy} AS c WHERE c.stream_id = ANY ($1::text[])
