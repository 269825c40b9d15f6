"""The name of a preset: kept with the run, and guessed where an older version kept none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_runs import last, words

from muzero import cli, presets
from muzero.commands import train
from muzero.config import Config, from_json, replace, to_json
from muzero.errors import OK, USAGE
from muzero.storage.checkpoint import read_config
from muzero.training import loop

Captured = pytest.CaptureFixture[str]


def test_a_run_keeps_the_name_of_its_preset(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    assert cli.main(["train", *words(out)]) == OK
    assert json.loads((last(out) / "config.json").read_text())["preset"] == "usual"
    assert cli.main(["train", *words(out), "--preset", "usual", "--steps", "3"]) == OK
    assert read_config(last(out)).preset == "usual"
    assert "changed: preset" not in capsys.readouterr().err


def test_a_run_of_an_older_version_goes_on_without_a_name(tmp_path: Path, capsys: Captured) -> None:
    """Its config has no such field; what isn't kept is guessed."""
    out = tmp_path / "run"
    config = replace(presets.load("tic_tac_toe"), {
        "preset": "", "train.steps": 2, "train.actors": 0, "selfplay.games": 8, "replay.min_positions": 64,
        "learner.batch": [[0.0, 16.0]], "train.evaluate_minutes": 0.0, "train.device": "cpu", "search.threads": 1})
    assert loop.run(config, out) == OK
    assert cli.main(["train", str(out), "--preset", "usual", "--steps", "3"]) == OK
    told = capsys.readouterr().err
    assert "changed: train.steps 2 -> 3" in told
    assert "preset" not in told
    assert read_config(last(out)).preset == ""


@pytest.mark.parametrize("stores_its_name", [True, False])
@pytest.mark.parametrize("name", presets.names("atari/pong"))
def test_the_same_preset_goes_on_and_another_is_refused(
    name: str, stores_its_name: bool, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where settings were chosen by hand, where the preset has changed since, and in runs of older versions, which
    store no name."""
    by_hand = {"selfplay.games": 64, "search.simulations": 9, "learner.learning_rate": 1e-3, "train.minutes": 2.0,
               "train.positions": 0, "train.horizon": 0, "learner.td_steps": 3, "train.actors": 0, "train.seed": 5}
    stored = replace(presets.load("atari/pong", name), {**by_hand, **({} if stores_its_name else {"preset": ""})})
    monkeypatch.setattr(train, "stored_config", lambda out: stored)
    went_on: list[Config] = []
    monkeypatch.setattr(train, "train", lambda config, *_: went_on.append(config) or OK)
    command = ["train", "atari/pong", "--out", str(tmp_path), "--minutes", "2"]
    assert cli.main([*command, "--preset", name]) == OK
    assert cli.main([*command, f"--preset={name}"]) == OK
    assert went_on == [stored, stored]
    other = next(preset for preset in presets.names("atari/pong") if preset != name)
    capsys.readouterr()
    assert cli.main([*command, "--preset", other]) == USAGE
    said = capsys.readouterr().err
    assert f"made with --preset {name}, not with {other}" in said
    assert f"resume it with: muzero {' '.join(command)} --preset {name}\n" in said


def test_a_name_is_guessed_by_the_settings_where_none_that_is_known_is_kept() -> None:
    small = presets.load("atari/pong", "small")
    older = replace(small, {"preset": "", "learner.td_steps": 3})
    form = {key: value for key, value in to_json(older).items() if key != "preset"}
    assert from_json(form) == older
    assert presets.made_with(older) == "small"
    assert presets.made_with(replace(older, {"preset": "of another\x1b version"})) == "small"
    assert presets.by_hand(older) == {"learner.td_steps"}


@pytest.mark.parametrize("name", presets.names("atari/pong"))
def test_what_is_kept_is_not_guessed(name: str) -> None:
    other = replace(presets.load("atari/pong", "muzero"), {"preset": name})
    assert presets.load("atari/pong", name).preset == presets.made_with(other) == name
    assert (presets.by_hand(other) == frozenset()) == (name == "muzero")


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="preset: expected str, got 5"):
        from_json({**to_json(presets.load("tic_tac_toe")), "preset": 5})
