"""Other event stores as baselines, through their own public API at their best settings.

They come with the extra `peers`; one that is not installed is left out, and the report says so.
"""
