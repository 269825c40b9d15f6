"""Reference pages that are made while the site is built: the commands' own help, and the settings of a config."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext import settings
from _ext.commands import help_of
from _ext.layers import layers

EXAMPLE = re.compile(r"\]\((\w+\.(?:py|ipynb))\)")
"""A link to a file of the same folder."""


class CommandHelp(SphinxDirective):
    """`{command-help} train`: what `muzero train --help` prints; `until`: up to the panel of that name."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = False
    option_spec: ClassVar = {"until": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        words = self.arguments[0].split() if self.arguments else []
        text = help_of(words, self.options.get("until"))
        return [nodes.literal_block(text, text, language="text")]


class Settings(SphinxDirective):
    """`{settings} search`: each setting of that section with default, bounds and meaning.

    Each is an object of the site, so that a search finds `learner.td_steps`, `td_steps` and `--learner.td-steps`.
    """

    required_arguments = 1
    has_content = False

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(settings.markdown(self.arguments[0]))


class Layers(SphinxDirective):
    """`{layers}`: the floors of rooms, as the linter holds them."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        text = layers()
        return [nodes.literal_block(text, text, language="text")]


def within_the_site(app: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    """Called for each file that a page includes: files of the root that are pages here are linked as pages, and the
    examples from the folder of the page."""
    content[0] = content[0].replace("](CHANGELOG.md)", "](docs/changelog.md)")
    if path.parent.name == "examples":
        content[0] = EXAMPLE.sub(r"](../examples/\1)", content[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("command-help", CommandHelp)
    app.add_directive("settings", Settings)
    app.add_directive("layers", Layers)
    app.add_object_type("setting", "setting", "single: %s", objname="setting")
    # A search shows it before pages whose titles have a word of the name.
    app.registry.domain_object_types["std"]["setting"].attrs["searchprio"] = 0
    app.connect("include-read", within_the_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
