"""What is tested only where the parts in C were compiled."""

import pytest

from mink_core.compiled import is_compiled

needs_compiled = pytest.mark.skipif(not is_compiled, reason="no C compiler was there, or MINK_PURE_PYTHON=1 is set")
