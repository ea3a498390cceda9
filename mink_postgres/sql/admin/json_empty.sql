DO $json$
BEGIN
    IF EXISTS (SELECT FROM {schema}.events) THEN
        RAISE EXCEPTION 'schema % holds events as jsonb; nothing was changed: open it without json_type, or change them '
            'with `mink payloads json`', $s${schema}$s$
            USING ERRCODE = 'MINK1';
    END IF;
END $json$
