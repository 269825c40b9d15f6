"""The imagined game beside the real one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_agents import agent, by_rules, inspected, reached

import games
from games.base import NO_PLAYER
from muzero.agent import load
from muzero.inspection import observed
from muzero.inspection.dream import dream
from muzero.inspection.imagined import Imagination, imagine
from muzero.inspection.observed import reading
from muzero.model.protocol import SearchError
from muzero.play.board import DRAWINGS, Board, read_board
from muzero.reports.inspection import imagined_text, page
from muzero.reports.inspection import text as screen
from muzero.view.terminal import Ink


def imagination(who: object, *moves: str, imagined: list[int]) -> Imagination:
    found = inspected(who, *moves, simulations=4, imagined=imagined).imagination  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_real_side_is_the_game() -> None:
    who = agent("tic_tac_toe")
    plies = imagination(who, "b2", imagined=[0, 8, 1]).plies
    assert [(one.name, one.mover, one.player) for one in plies] == [
        ("", NO_PLAYER, 1), ("a1", 1, 0), ("c3", 0, 1), ("b1", 1, 0)]
    batch = games.make("tic_tac_toe", 1)
    for one, action in zip(plies, [4, 0, 8, 1], strict=True):
        batch.step(np.array([action], np.int32))
        policy, value = who.raw(who.observe(batch), batch.legal())
        assert one.real is not None
        assert one.real.position.text == batch.render(0)
        assert one.real.value == pytest.approx(float(value[0]), abs=1e-6)
        assert one.real.best[0].probability == pytest.approx(float(policy.max()), abs=1e-6)
        assert one.imagined.legal is not None
        assert 0 < one.imagined.legal < 1
    assert plies[0].imagined.value == pytest.approx(plies[0].real.value, abs=1e-6)  # type: ignore[union-attr]
    assert plies[1].imagined.value != pytest.approx(plies[1].real.value, abs=1e-6)  # type: ignore[union-attr]


@pytest.mark.parametrize("settings", [
    {}, {"model__prefix": 2}, {"model__discount": "learned"},
    {"model__discount": "learned", "model__transition": "likeliest"}])
def test_what_is_imagined_is_what_the_search_reads(settings: dict[str, str]) -> None:
    who, batch = agent("tic_tac_toe", **settings), games.make("tic_tac_toe", 1)
    found = list(dream(who, batch, [4, 0, 8]))
    with torch.inference_mode():
        latent = who.model.root(torch.as_tensor(who.observe(batch)), torch.as_tensor(batch.legal())).latent
        for action, one in zip([4, 0, 8], found[1:], strict=True):
            step = who.model.step(latent, torch.tensor([action]))
            latent = step.latent
            assert [one.reward, one.discount, one.value] == [
                float(part) for part in (step.reward, step.discount, step.value)]
            assert one.policy == pytest.approx(torch.softmax(step.logits, 1)[0].numpy())
            assert (one.end is None) == ("model__discount" not in settings)


def test_behind_a_move_that_the_rules_forbid_there_is_nothing_real() -> None:
    plies = imagination(agent("tic_tac_toe"), "b2", imagined=[0, 4, 1]).plies
    assert [one.real is None for one in plies] == [False, False, True, True]
    assert [one.imagined.legal is None for one in plies] == [False, False, True, True]
    assert (plies[2].name, plies[2].mover, plies[3].mover) == ("b2", 0, 1)


def test_a_trained_model_knows_the_board_and_the_end() -> None:
    """The shipped agent imagines the stones, and sees that the fourth in a row ends the game."""
    who = load("connect_four")
    plies = imagine(who, reached("connect_four", "4", "1", "4", "1", "4", "2"), [6, 0, 3]).plies
    for one in plies[1:3]:
        assert one.imagined.decoded is not None
        assert one.imagined.decoded.board is not None
        assert one.imagined.decoded.wrong == frozenset()
        assert one.imagined.decoded.agreement == 1
        assert one.imagined.end is not None
        assert one.imagined.end < 0.05
    assert plies[0].imagined.decoded is None
    won = imagine(who, reached("connect_four", "4", "1", "4", "1", "4", "2"), [3]).plies[1]
    assert won.real is not None
    assert (won.real.over, won.real.reward) == (True, 1)
    assert won.imagined.end == pytest.approx(1, abs=0.05)
    assert won.imagined.reward == pytest.approx(1, abs=0.05)


def test_what_differs_has_another_sign_than_the_last_move() -> None:
    report = inspected(agent("tic_tac_toe", model__reconstruction=True, learner__reconstruction_weight=1.0),
                       "b2", imagined=[0])
    assert report.imagination is not None
    shown = screen.text(report, Ink(False), False)
    one = report.imagination.plies[1]
    assert one.imagined.decoded is not None
    drawn = imagined_text.boards(one, Ink(False), False)
    wrong = len(one.imagined.decoded.wrong)
    assert wrong > 0
    assert f"imagined ({wrong} wrong: !)" in drawn
    _, *rows = drawn.splitlines()
    assert "".join(rows).count("!") == wrong
    assert "".join(rows).count("(") == 1
    assert "Boards: brackets: the last move; !: differs from the real board." in shown
    page_text = page.text(report, report.tree) if report.tree is not None else ""
    assert "ring of dashes: differs from the real board." in page_text


def test_what_is_missing_is_told() -> None:
    assert imagination(agent("tic_tac_toe"), imagined=[0]).notes == (
        "P(end): the model doesn't predict it (model.discount is fixed)",
        "imagined board: the model has no decoder (model.reconstruction is off)")
    flat = agent("pig(winscore=20)", model__discount="learned", model__reconstruction=True,
                 learner__reconstruction_weight=1.0)
    found = imagination(flat, imagined=[0, 0])
    assert found.notes == ("imagined board: observations of this game can't be read as a board",)
    assert found.plies[1].imagined.decoded is not None
    assert found.plies[1].imagined.decoded.board is None
    report = inspected(by_rules("tic_tac_toe"), simulations=4, imagined=[0])
    assert report.imagination is None
    assert report.no_imagination.startswith("nothing is imagined: model.dynamics is rules")


def test_one_player_and_reward_as_in_training() -> None:
    who = agent("cliff_walking", selfplay__clip_rewards=True)
    plies = imagination(who, imagined=[0, 1]).plies
    assert [one.player for one in plies] == [0, 0, 0]
    assert plies[1].real is not None
    assert plies[1].real.reward == -1


def test_a_model_that_imagines_no_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    who = agent("tic_tac_toe")
    monkeypatch.setattr(who.model, "reward", lambda *_: torch.tensor([torch.nan]))
    with pytest.raises(SearchError, match="not finite"):
        imagine(who, reached("tic_tac_toe"), [0, 1])


@pytest.mark.parametrize("game", [*DRAWINGS, "hex(board_size=5)", "mnk(m=4,n=5,k=3)"])
def test_boards_are_read_from_observations(game: str) -> None:
    spec = games.spec(game)
    found = reading(spec)
    assert found is not None
    batch, rng = games.make(game, 1, seed=5), np.random.default_rng(7)
    for _ in range(25):
        legal = batch.legal()
        if not legal.any():
            break
        board, seen = read_board(game, batch.render(0)), found.board(batch.observe()[0], int(batch.to_play()[0]))
        assert board is not None
        cells = [(row, column) for row in range(len(board.rows)) for column in range(len(board.rows[0]))]
        assert [seen.owner(cell) for cell in cells] == [board.owner(cell) for cell in cells]
        batch.step((rng.random(legal.shape) * legal).argmax(1).astype(np.int32))


@pytest.mark.parametrize("game", ["pig", "catch", "dots_and_boxes"])
def test_what_shows_no_board_is_not_read(game: str) -> None:
    assert reading(games.spec(game)) is None


def test_observations_that_do_not_show_the_board_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here each is that of another position."""
    spec, watched = games.spec("tic_tac_toe"), observed._watched
    assert reading.__wrapped__(spec) is not None

    def mixed(spec: games.GameSpec) -> list[tuple[int, np.ndarray, Board]]:
        found = watched(spec)
        boards = [board for _, _, board in found]
        return [(player, obs, boards[place - 9]) for place, (player, obs, _) in enumerate(found)]

    monkeypatch.setattr(observed, "_watched", mixed)
    assert reading.__wrapped__(spec) is None
