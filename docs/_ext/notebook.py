"""A notebook as Markdown, for a page that shows its cells: text as it is, code as blocks, no outputs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PLACE = re.compile(r"^<!-- notebook: (\S+) -->$", re.MULTILINE)
HEADING = re.compile(r"^#", re.MULTILINE)


def markdown(notebook: dict[str, Any]) -> str:
    """The cells one after the other; its headings one level deeper, below that of the page."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(HEADING.sub("##", text) if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts)


def shown(app: Sphinx, page: str, source: list[str]) -> None:
    """Called for each page: a comment that names a notebook, relative to the page, becomes its cells."""
    folder = Path(app.srcdir, page).parent
    source[0] = PLACE.sub(lambda place: markdown(json.loads((folder / place[1]).read_text())), source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hook."""
    app.connect("source-read", shown)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
