-- The store's tables that a crash empties, or of which roles may be shown a part: the table, whether it is unlogged, whether
-- row-level security is on. Of one in partitions, each by itself.
SELECT p.relname::text, p.relpersistence = 'u', p.relrowsecurity
FROM pg_class AS p
LEFT JOIN pg_inherits AS i ON i.inhrelid = p.oid AND p.relispartition
JOIN pg_class AS t ON t.oid = coalesce(i.inhparent, p.oid)
WHERE t.relnamespace = quote_ident($1::text)::regnamespace AND t.relname = ANY ($2::text[]) AND p.relkind IN ('r', 'p')
    AND (p.relpersistence = 'u' OR p.relrowsecurity)
ORDER BY 1
