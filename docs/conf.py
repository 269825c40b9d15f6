"""Sphinx configuration of the documentation: `make docs` builds it into build/docs, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
LICENCE = HERE.parent / "LICENSE"
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "MuZero, made real"
author = "The muzero-engine authors"
project_copyright = LICENCE.read_text().partition("Copyright (c) ")[2].partition("\n")[0]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "_ext.docstrings",
    "_ext.mathml",
    "_ext.notebook",
    "_ext.reference",
    "_ext.tables",
]
root_doc = "index"
exclude_patterns = ["_ext", "examples"]
source_suffix = {".md": "markdown"}

# Every reference must lead somewhere. What other projects document can't be looked up without a network.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(numpy|torch|pyspiel|pathlib|collections|typing|np|nn)\b.*"),
    (r"py:.*", r"(Any|Path|Tensor|NDArray|Generator|Literal|Protocol|dtype|T)"),
    (r"py:.*", r"(FloatArray|IntArray|MaskArray|Schedule|TypeAliasForwardRef)"),
]
# Two dashes are an option, not a dash.
smartquotes = False

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("FloatArray", "IntArray", "MaskArray", "NDArray", "Schedule")}
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
default_role = "code"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
