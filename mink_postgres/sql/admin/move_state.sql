-- What the copy was made as: its partitions (0 for one table), the type of its payloads, whether it keeps event ids unique.
SELECT (SELECT count(*) FROM pg_inherits AS i WHERE i.inhparent = a.attrelid),
    y.typname::text, to_regclass('{schema}.idx_{copy}_event_id') IS NOT NULL
FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
WHERE a.attrelid = '{schema}.{copy}'::regclass AND a.attname = 'data'
