"""Run as ``python -m marsqe.cli``."""

import sys

from marsqe.cli.main import main

sys.exit(main())
