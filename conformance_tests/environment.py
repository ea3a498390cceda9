"""Where a run was made."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime

from mink_core import __version__
from mink_core.compiled import is_compiled


def environment() -> dict[str, str]:
    """What a report tells of the machine and the versions."""
    return {
        "kit": f"mink-eventstore {__version__}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiled": "yes" if is_compiled else "no",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": str(os.cpu_count() or "unknown"),
        "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
