"""Controlled interleavings: commits that are held open until a step of a schedule."""
