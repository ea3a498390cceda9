"""Three thin drivers: run one query on a connection, and say what failed in our errors."""
