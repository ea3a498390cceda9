"""`python -m mink_core.cli` is `mink`."""

import sys

from mink_core.cli import main

sys.exit(main())
