"""Reports of a run: for a terminal, for programs, for a build server, for people, for a README."""
