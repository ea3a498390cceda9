-- What stands in the schema: kind (table, partition, sequence, function), its name, for a partition or a sequence its
-- table, and how it is written in SQL, whatever the search path.
SELECT CASE WHEN c.relkind = 'S' THEN 'sequence' ELSE 'table' END, c.relname::text, coalesce(t.relname::text, ''),
    format('%I.%I', $1::text, c.relname)
FROM pg_class AS c
LEFT JOIN pg_depend AS d
    ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class AS t ON t.oid = d.refobjid
WHERE c.relnamespace = quote_ident($1::text)::regnamespace AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition
UNION ALL
SELECT 'partition', c.relname::text, t.relname::text, format('%I.%I', n.nspname, c.relname)
FROM pg_inherits AS i
JOIN pg_class AS t ON t.oid = i.inhparent
JOIN pg_class AS c ON c.oid = i.inhrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.relnamespace = quote_ident($1::text)::regnamespace AND c.relkind = 'r' AND c.relispartition
UNION ALL
SELECT 'function', p.proname::text, '',
    format('%I.%I(%s)', $1::text, p.proname, pg_get_function_identity_arguments(p.oid))
FROM pg_proc AS p
WHERE p.pronamespace = quote_ident($1::text)::regnamespace AND p.prokind = 'f'
ORDER BY 1, 2, 4
