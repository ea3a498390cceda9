"""`python -m mink_benchmarks`."""

import sys

from mink_benchmarks.cli import main

sys.exit(main(sys.argv[1:]))
