"""Measurements and faults: what Mink does under load, as repeatable commands."""
