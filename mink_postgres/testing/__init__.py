"""The hooks of `mink_core.testing` for PostgreSQL, for the conformance kit. Not for production.

The gate puts a trigger, a function and a table into the schema under test; the store itself never does.
"""

from mink_postgres.testing.binding import binding
from mink_postgres.testing.borrowing import borrowing
from mink_postgres.testing.faults import PostgresFaultInjector, fault_injector
from mink_postgres.testing.gate import PostgresCommitGate, commit_gate

__all__ = ["PostgresCommitGate", "PostgresFaultInjector", "binding", "borrowing", "commit_gate", "fault_injector"]
