"""The checks, a module an area: every module here is loaded. See `conformance_tests.check`."""
