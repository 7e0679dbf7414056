"""`python -m refrain_worker`."""

import sys

from .cli import main

sys.exit(main())
