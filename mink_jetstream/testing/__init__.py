"""The hooks of `mink_core.testing` for JetStream, for the conformance kit. Not for production.

There is no commit gate: a message gets its sequence when it is committed, so there is no moment in which an
append has a position and is not visible.
"""

from mink_jetstream.testing.faults import JetStreamFaultInjector, fault_injector

__all__ = ["JetStreamFaultInjector", "fault_injector"]
