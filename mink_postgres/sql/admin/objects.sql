-- What stands in the schema: kind (table, sequence, function), its name, and for a sequence its table.
SELECT CASE WHEN c.relkind = 'S' THEN 'sequence' ELSE 'table' END, c.relname::text, coalesce(t.relname::text, '')
FROM pg_class AS c
LEFT JOIN pg_depend AS d
    ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class AS t ON t.oid = d.refobjid
WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p', 'S')
UNION ALL
SELECT 'function', p.oid::regprocedure::text, ''
FROM pg_proc AS p
WHERE p.pronamespace = $1::text::regnamespace
ORDER BY 1, 2
