"""Faults inflicted on a store under load, with a ledger of what was acknowledged.

    python -m mink_benchmarks.faults --minutes 10

Each fault has a server and a load of its own: writers of two drivers that repeat a call until it is
acknowledged, as an application does, and a reader that follows the feed. Afterwards every acknowledged
event must be stored, none twice, no call in part, and the reader must have been given all of it in order.
"""
