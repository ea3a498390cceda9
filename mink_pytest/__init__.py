"""The pytest plugins: `mink_store` and its kin for users' own tests, and the conformance kit's door.

They are loaded with every pytest where Mink is installed, so they import nothing of Mink before a test
asks for it. Adapters are found by URL.
"""
