-- The version of the collation that the database's indexes were built by, and of the one that it has now; NULL for one that
-- has no versions, as C.
SELECT d.datcollversion, pg_database_collation_actual_version(d.oid)
FROM pg_database AS d WHERE d.datname = current_database()
