"""Every operation, written once for all drivers (see `mink_postgres.query`)."""
