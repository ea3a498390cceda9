"""What the sub-stores do to the records: the counterparts of `mink_postgres.programs`."""
