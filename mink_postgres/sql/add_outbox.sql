SELECT {schema}.add_outbox($1::json)
