"""Whether what is built can be released: `python -m tests.release`."""
