"""A store as a file of JSON lines, and back: ids, versions, timestamps, metadata and order are kept."""

from mink_core.transfer.digests import Digests, StreamDigest
from mink_core.transfer.exporting import Exported, Resumed, export, resume
from mink_core.transfer.importing import Imported, import_lines, verify

__all__ = [
    "Digests",
    "Exported",
    "Imported",
    "Resumed",
    "StreamDigest",
    "export",
    "import_lines",
    "resume",
    "verify",
]
