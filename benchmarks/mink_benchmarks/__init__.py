"""Benchmarks of event stores: `python -m mink_benchmarks`, or `mink bench`.

Everything that is compared is measured in one run, in interleaved rounds, on one server; what counts
is the ratio within a round. Absolute figures are a machine's, and of a moment.
"""
