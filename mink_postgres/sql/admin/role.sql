SELECT pg_get_userbyid(c.relowner)::text, pg_has_role(r.oid, c.relowner, 'MEMBER')
FROM pg_roles AS r, pg_class AS c
WHERE r.rolname = $1::text AND c.oid = '{schema}.events'::regclass
