"""Concurrent histories: programs that Hypothesis draws, run for real, and judged afterwards."""
