"""Reference pages that are made while the site is built: the commands' own help, and the settings of a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext import settings
from _ext.commands import help_of
from _ext.layers import layers


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
    """`{settings} search`: each setting of that section with default, bounds and meaning."""

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
    """Called for each file that a page includes: files of the root that are pages here are linked as pages."""
    content[0] = content[0].replace("](CHANGELOG.md)", "](docs/changelog.md)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("command-help", CommandHelp)
    app.add_directive("settings", Settings)
    app.add_directive("layers", Layers)
    app.connect("include-read", within_the_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
