ALTER TABLE {schema}.events ALTER COLUMN data TYPE json, ALTER COLUMN metadata TYPE json
