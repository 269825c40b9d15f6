"""The scripts and the notebook of docs/examples, each run whole with tiny sizes."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
import numpy as np
import pytest

from muzero.config import kinds, settings
from muzero.storage import metrics

matplotlib.use("Agg")

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
TINY = ("--selfplay.games", "8", "--replay.min-positions", "64", "--learner.batch", "16", "--train.actors", "0",
        "--search.simulations", "4", "--play.simulations", "4", "--train.device", "cpu")
PNG = b"\x89PNG"
NOTEBOOK = "first_agent"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_run_here_and_listed() -> None:
    scripts = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}
    told = (EXAMPLES / "README.md").read_text()
    tested = Path(__file__).read_text()
    assert scripts
    for name in scripts:
        assert f"({name})" in told, f"docs/examples/README.md lists every example, {name} is missing"
        assert f'"{Path(name).stem}"' in tested, f"every example is run by a test, {name} isn't"


def test_a_learning_curve_is_drawn(tmp_path: Path) -> None:
    run, picture = tmp_path / "run", tmp_path / "curve.png"
    module = example("learning_curve")
    options = ("--steps", "6", "--train.log-seconds", "0.001", "--train.evaluate-against", "random")
    module.main(run, picture, [*TINY, *options])
    assert picture.read_bytes().startswith(PNG)
    for name in module.CURVES:
        steps, values = module.curve(run, name)
        assert steps[-1] == 6, name
        assert np.isfinite(values).all()


def test_a_search_over_ones_own_model_finds_every_winning_move(capsys: pytest.CaptureFixture[str]) -> None:
    module = example("own_model")
    module.main()
    rows = [[float(word) for word in line.split("[")[0].split()] for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(rows) == 11
    for pile, taken, value in rows:
        assert (value < 0) == (pile % 4 == 0)
        if pile % 4:
            assert taken == pile % 4


def test_a_game_of_ones_own_is_checked_trained_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = example("own_game")
    assert module.main(tmp_path / "run", *TINY, "--steps", "3") == 0
    said = capsys.readouterr().out
    assert "keeps the contract" in said
    assert "moving first" in said


def test_whoever_can_not_move_in_domineering_has_lost() -> None:
    module = example("own_game")
    game = module.Domineering(np.random.default_rng(0))
    assert len(game.legal()) == 12
    rewards = []
    while not game.over():
        rewards.append(game.step(game.legal()[0]))
    assert rewards[-1] == 1.0
    assert not any(rewards[:-1])
    assert not game.legal()


def test_an_environment_of_ones_own_is_trained_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = example("own_environment")
    assert module.main(tmp_path / "run", *TINY, "--steps", "3") == 0
    assert capsys.readouterr().out.count("mean return") == 2


def test_a_network_of_ones_own_is_trained_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = example("own_network")
    # Both are as before afterwards: the example writes over them.
    monkeypatch.setitem(kinds.NETWORKS, "gru", kinds.NETWORKS["mlp"])
    monkeypatch.setattr(settings, "Network", settings.Network)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert module.main(tmp_path / "run", *TINY, "--steps", "3") == 0
    assert "moving first" in capsys.readouterr().out


def test_open_spiel_evaluates_the_bot() -> None:
    module = example("openspiel_evaluation")
    assert module.match(games=2, simulations=4, rollouts=2) == [1.0, 1.0]
    policy = module.policy([0, 1, 0, 1, 0, 1], simulations=50)
    assert [action for action, _ in policy] == list(range(7))
    assert sum(probability for _, probability in policy) == pytest.approx(1.0)
    assert max(policy, key=lambda entry: entry[1])[0] == 0


def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / f"{NOTEBOOK}.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells[0]["metadata"] == {"tags": ["parameters"]}
    names: dict[str, Any] = {}
    exec("".join(cells[0]["source"]), names)
    names |= {"RUN": tmp_path / "run", "STEPS": 6, "GAMES": 2}
    for cell in cells[1:]:
        exec("".join(cell["source"]), names)
    assert metrics.read(tmp_path / "run")[-1]["step"] == 6
    assert "x" in capsys.readouterr().out
    assert names["analysis"].result.visits.sum() == 100
