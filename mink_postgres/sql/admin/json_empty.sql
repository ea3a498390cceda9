DO $json$
BEGIN
    IF EXISTS (SELECT FROM {schema}.events) THEN
        RAISE EXCEPTION 'schema % holds events as jsonb; nothing was changed: open it without json_type, or move them into a new '
            'store by `mink export` and `mink import`', $s${schema}$s$
            USING ERRCODE = 'MINK1';
    END IF;
END $json$
