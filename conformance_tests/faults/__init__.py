"""Faults: broken connections, ended sessions, used up pools, cancelled calls."""
