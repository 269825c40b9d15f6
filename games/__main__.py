"""`python -m games` prints the table of `docs/reference/game_list.md`."""

from __future__ import annotations

import sys

from games.listing import markdown

if __name__ == "__main__":
    sys.stdout.write(markdown())
