"""An order service on Mink: FastAPI, PostgreSQL, an outbox and a read model that is right exactly once."""
