"""One direction of imports: a module may import only modules written before it in `ORDER`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("checkpoints", "cpp_mcts", "games", "muzero", "selfplay")

_LINES = """
checkpoints
cpp_mcts._core cpp_mcts
games.machine games.base games.own_names games.rows games.naming games.parameters games.atari_protocol games.views
games.spiel_facts games.open_spiel games.rules games.guard games.single games.atari games.gym_spaces games.gym_game
games.families games.examples.*
games.listing games games.symmetry games.contract games.trial games.solver games.compiled
games.connect_four_search games.connect_four_openings games.connect_four games.exact games.__main__
muzero.packages muzero.terminal muzero.view.wrapping
muzero.settings muzero.limits muzero.config muzero.records muzero.memory muzero.scalar
muzero.sumtree muzero.targets muzero.gathering muzero.replay muzero.ahead
muzero.networks.* muzero.precision muzero.models.* muzero.latents muzero.inference muzero.search
muzero.tally muzero.loss muzero.graphs muzero.muon muzero.optimizers muzero.update muzero.learner
muzero.storage muzero.tensors muzero.manifest muzero.runs muzero.checkpoint muzero.agent_folder muzero.metrics
muzero.presets.* muzero.agent muzero.bot muzero
selfplay selfplay.statistics selfplay.suite selfplay.trajectory selfplay.actor
selfplay.inbox selfplay.mailbox selfplay.orphans selfplay.worker selfplay.reanalyse
selfplay.positions selfplay.perfect selfplay.repeats selfplay.agents selfplay.arena selfplay.ratings selfplay.tournament
muzero.film muzero.display muzero.interrupt muzero.verdict
muzero.measure.* muzero.survey muzero.sizing muzero.pace muzero.train muzero.commands.* muzero.cli muzero.__main__
"""
ORDER = _LINES.split()
"""`name.*` stands for a package and all its modules, which may import each other but not in circles."""


def modules() -> dict[str, Path]:
    """Every module on the disk by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def rank(module: str) -> int | None:
    """Place of a module in the order, None if it has none."""
    for place, entry in enumerate(ORDER):
        family = entry.removesuffix(".*")
        if module == family or (entry.endswith(".*") and module.startswith(family + ".")):
            return place
    return None


def imported(module: str, path: Path) -> Iterator[tuple[str, int]]:
    """Dotted names and line numbers of all a module imports, also inside functions and for types."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in MODULES else base), node.lineno


def own_imports(module: str) -> Iterator[tuple[str, int]]:
    """The part of `imported` that belongs to this project, `import a.b` counted once, as `a.b`."""
    for name, line in imported(module, MODULES[module]):
        if name.split(".")[0] in PACKAGES and name != module:
            yield name, line


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_has_its_place(module: str) -> None:
    assert rank(module) is not None, f"{module} is new: write it into ORDER, after all that it imports"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_comes_before_it(module: str) -> None:
    own = rank(module)
    for name, line in own_imports(module):
        place = rank(name)
        assert own is not None
        assert place is not None, f"{module}:{line} imports {name}, which has no place in ORDER"
        assert place < own or (place == own and ORDER[own].endswith(".*")), (
            f"{module}:{line} imports {name}, which comes after it"
        )


def test_no_circles() -> None:
    graph = {module: {name for name, _ in own_imports(module) if name in MODULES} for module in MODULES}
    assert list(TopologicalSorter(graph).static_order())


LIGHT = sorted(name for name in MODULES if name.startswith(("cpp_mcts", "games")))


@pytest.mark.parametrize("module", LIGHT)
def test_games_and_tree_know_no_learning(module: str) -> None:
    found = {name.split(".")[0] for name, _ in imported(module, MODULES[module])}
    assert not found & {"torch", "muzero", "selfplay", "safetensors"}


def test_only_training_knows_learner_and_actors() -> None:
    both = {
        module for module in MODULES
        if {"muzero.learner", "selfplay.worker"} <= {name for name, _ in own_imports(module)}
    }
    assert both <= {"muzero.train"}


def test_only_the_bindings_know_python() -> None:
    sources = [path for path in (ROOT / "cpp_mcts/src").rglob("*") if path.suffix in (".h", ".cpp")]
    assert sources
    for path in sources:
        includes = re.findall(r"^\s*#\s*include\s*[<\"]([^>\"]+)", path.read_text(), re.MULTILINE)
        if path.parent.name != "python":
            foreign = [name for name in includes if name.startswith("pybind11") or name == "Python.h"]
            assert not foreign, f"{path.relative_to(ROOT)} includes {foreign}"
