"""`python -m muzero` is the `muzero` script."""

import sys

from muzero.cli import main

sys.exit(main())
