"""Legality heads by unroll depth: one that is right, one that is careless, and one that is a move late."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from counting_model import PILE, CountingModel, at_random, continued
from tiny_runs import tiny, whole_run
from torch import Tensor

from muzero.agent import Agent, load
from muzero.config import Config
from muzero.model.build import build_model
from muzero.model.masked import USUAL, illegal
from muzero.reports import model_text
from muzero.reports.as_json import content
from muzero.reports.model_plot import draw
from muzero.storage import metrics
from muzero.validation.depth import imagine
from muzero.validation.legality import LegalityReport, legality_report, threshold
from muzero.validation.report import report
from muzero.validation.validate import ModelReport, validate

SAMPLE = continued(after=at_random)
CERTAIN = 20.0


@dataclasses.dataclass
class Telling(CountingModel):
    """Says of a bare latent [B, PILE + 1], the pile, that one, two or three counters may be taken."""

    over: int = 0
    """counters that it believes to be there besides"""

    def legality(self, latent: Tensor) -> Tensor:
        pile = latent @ torch.arange(PILE + 1.0) + self.over
        return CERTAIN * (2.0 * (pile[:, None] >= torch.arange(1.0, 4.0)).float() - 1.0)


def judged(model: CountingModel) -> LegalityReport:
    found = report(SAMPLE, imagine(model, SAMPLE), 0.1).legality  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_head_that_is_right_keeps_no_illegal_action_and_loses_no_legal_one() -> None:
    found = judged(Telling())
    assert (found.balanced == 1.0).all()
    assert np.nanmax(found.kept) == 0.0
    assert (found.lost == 0.0).all()
    assert (found.over == 0.0).all()
    assert report(SAMPLE, imagine(CountingModel(), SAMPLE)).legality is None  # type: ignore[arg-type]


def test_one_that_believes_in_more_counters_keeps_what_is_illegal() -> None:
    found = judged(Telling(over=1))
    one_left = SAMPLE.legal.sum(2) == 1
    assert one_left.any()
    assert np.nanmin(found.kept) >= 0.5
    assert (found.lost == 0.0).all()
    there = ~np.isnan(found.kept)
    np.testing.assert_allclose(found.balanced, np.where(there, 1 - found.kept / 2, 1.0))


def test_one_that_believes_in_fewer_takes_positions_for_ends() -> None:
    found = judged(Telling(over=-1))
    last = (SAMPLE.legal.sum(2) == 1) & SAMPLE.in_game
    np.testing.assert_allclose(found.over, last.sum(0) / SAMPLE.in_game.sum(0))
    assert found.over.max() > 0.1
    assert (found.lost >= found.over / 3).all()


def test_latents_that_are_wrong_are_seen_from_the_first_move_on() -> None:
    found = judged(Telling(forgetful=True))
    assert found.balanced[0] == 1.0
    assert found.lost[0] == 0.0
    assert found.lost[1] > 0.0


def test_shares_are_of_illegal_and_of_legal_actions_where_games_go_on() -> None:
    """Position 0 has no action that passes, so a search takes it for an end; position 1 is over after it."""
    sample = dataclasses.replace(
        SAMPLE, legal=np.array([[[True, False, False]] * 2, [[True, True, False]] * 2]),
        in_game=np.array([[True, True], [True, False]]))
    probability = np.array([[[0.04, 0.05, 0.01], [0.9, 0.2, 0.05]], [[0.6, 0.05, 0.4], [0.0, 0.0, 0.0]]], np.float32)
    found = legality_report(sample, probability, 0.1)
    np.testing.assert_allclose(found.kept, [1 / 3, 1 / 2])
    np.testing.assert_allclose(found.lost, [2 / 3, 0.0])
    np.testing.assert_allclose(found.balanced, [(2 / 3 + 1 / 3) / 2, (1 / 2 + 1) / 2])
    np.testing.assert_allclose(found.over, [1 / 2, 0.0])


def test_it_masks_as_the_search_does() -> None:
    """An action that is masked there is one that isn't tried, and an end is one that nothing follows."""
    logits = torch.randn((200, 6), generator=torch.Generator().manual_seed(0)) * 2 - 4
    sample = dataclasses.replace(SAMPLE, legal=np.ones((200, 1, 6), np.bool_), in_game=np.ones((200, 1), np.bool_))
    found = legality_report(sample, torch.sigmoid(logits)[:, None].numpy(), 0.1)
    wrong, over = illegal(logits, 0.1)
    assert 0.1 < float(over.float().mean()) < 0.9
    broken = legality_report(sample, np.full((200, 1, 6), np.nan, np.float32), 0.1)
    assert not illegal(torch.full((1, 6), torch.nan), 0.1)[0].any()
    assert broken.lost[0] == broken.over[0] == 0.0
    assert found.over[0] == pytest.approx(float(over.float().mean()))
    assert found.lost[0] == pytest.approx(float((wrong | over[:, None]).float().mean()))


def test_games_in_which_all_is_legal_have_a_balance_of_one_kind() -> None:
    sample = dataclasses.replace(SAMPLE, legal=np.ones((1, 1, 4), np.bool_), in_game=np.ones((1, 1), np.bool_))
    found = legality_report(sample, np.array([[[0.9, 0.9, 0.9, 0.0]]], np.float32), 0.1)
    assert np.isnan(found.kept[0])
    assert found.balanced[0] == found.lost[0] * 3 == 0.75


def test_the_threshold_is_that_of_a_search_that_masks() -> None:
    assert threshold(tiny()) == USUAL
    assert threshold(HEAD) == 0.3
    assert threshold(tiny(model__legality=True, learner__legality_weight=0.1, play__legality__least=0.2)) == 0.2


# --- of an agent ------------------------------------------------------------------------------------------------

HEAD: Config = tiny(model__legality=True, learner__legality_weight=0.5, search__legality__least=0.3,
                    model__discount="learned", held_out__fraction=0.3, held_out__seconds=1e6,
                    held_out__positions=64, learner__replay_ratio=0.5, train__steps=12)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    whole_run(HEAD, out)
    return out


@pytest.fixture(scope="module")
def found(run: Path) -> ModelReport:
    return validate(load(str(run)), depth=4, positions=40)


def test_a_run_keeps_its_heads_figures_as_curves(run: Path) -> None:
    record = [record for record in metrics.read(run) if "held_out/trust_depth" in record][-1]
    for depth in range(2 * HEAD.learner.unroll + 1):
        shares = [record[f"held_out/legality_{name}@{depth}"] for name in ("balanced", "lost", "over")]
        assert all(0.0 <= share <= 1.0 for share in shares)
    assert "held_out/legality_kept@1" in record


def test_an_agents_table_has_columns_of_its_head(found: ModelReport) -> None:
    lines = model_text.text(found).splitlines()
    assert max(len(line) for line in lines if line.startswith(("depth", "    "))) <= model_text.WIDEST
    tables = [line for line in lines if line.startswith("depth") and "head" in line]
    assert len(tables) == 3
    rest = [line for line in lines if line.startswith("depth") and "games" not in line]
    assert len(rest) == 3, "columns that don't fit stand in a table of their own"
    assert all(line.split()[-2:] == ["past", "ECE"] for line in rest)
    assert "The legality head masks moves with a probability below 0.3 of being legal." in lines
    head = found.figures["policy"].legality
    assert head is not None
    row = lines[lines.index(tables[1]) + 3].split()
    shown = dict(zip(tables[1].split(), row, strict=False))
    assert shown["head"] == f"{100 * head.balanced[2]:.1f}"
    assert shown["lost"] == f"{100 * head.lost[2]:.1f}"


def test_its_json_and_its_picture_have_them(found: ModelReport, tmp_path: Path) -> None:
    figures = content(found)["sources"]["policy"]["figures"]["legality"]
    assert figures["least"] == 0.3
    assert {name: len(figures[name]) for name in ("balanced", "kept", "lost", "over")} == dict.fromkeys(
        ("balanced", "kept", "lost", "over"), 5)
    draw(found, tmp_path / "head.svg")
    picture = (tmp_path / "head.svg").read_text()
    assert picture.count("legality head, balanced accuracy") == picture.count("legal moves that the head masks") == 1


def test_an_agent_without_a_head_has_nothing_of_it(tmp_path: Path) -> None:
    config = tiny()
    without = validate(Agent(build_model(config), config, "made", 0), depth=1, positions=40)
    assert "legality" not in content(without)["sources"]["policy"]["figures"]
    said = model_text.text(without)
    assert "head" not in said
    assert "lost" not in said
    draw(without, tmp_path / "none.svg")
    assert "legality" not in (tmp_path / "none.svg").read_text()
