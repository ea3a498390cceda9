"""A long run under the kit's own history checker: `python -m tests.soak.history --minutes 30 --plot soak.png`."""
