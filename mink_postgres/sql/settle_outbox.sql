SELECT position, token FROM {schema}.settle_outbox($1::json)
