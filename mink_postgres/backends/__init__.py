"""A driver's connections: a pool of the store's own, the caller's pool, or the caller's one connection."""
