"""Games: the contract under random play, steps and rewards, the table of views."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import games
from games.base import GameError, GameSpec
from games.contract import ContractError, check_contract, check_game
from games.examples.subtraction import Subtraction
from games.naming import parse_name
from games.open_spiel import OpenSpielBatch
from games.single import Lockstep
from games.spiel_facts import load_facts
from games.views import VIEWS

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = [game.name for game in games.list_games() if game.supported]
OWN = "games.examples.subtraction:Subtraction"
WITH_PARAMETERS = [
    "breakthrough(rows=4,columns=3)",
    "checkers(egocentric=True)",
    "connect_four(egocentric_obs_tensor=True)",
    "go(board_size=5)",
    "gomoku(connect=4,dims=3,size=4)",
    "hex(board_size=4,swap=True)",
    "hex(num_cols=3,num_rows=5)",
    "misere(game=tic_tac_toe)",
    "pig(winscore=10)",
    "start_at(game=tic_tac_toe(),history=0;4)",
    OWN,
]


def random_states(name: str, count: int, seed: int = 0) -> list[tuple[Any, Any]]:
    """Up to `count` (game, decision state) pairs met in random play."""
    generator = random.Random(seed)
    game = load_facts(name).game
    met: list[tuple[Any, Any]] = []
    while len(met) < count:
        state = game.new_initial_state()
        while not state.is_terminal() and len(met) < count:
            if state.is_chance_node():
                state.apply_action(generator.choice(state.chance_outcomes())[0])
                continue
            met.append((game, state.clone()))
            state.apply_action(generator.choice(state.legal_actions()))
    return met


def all_finished(batch: games.GameBatch) -> bool:
    return bool((batch.to_play() == games.NO_PLAYER).all())


# --- the contract -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SUPPORTED + WITH_PARAMETERS)
def test_every_supported_game_keeps_the_contract(name: str) -> None:
    check_game(name, size=3, steps=60)


@pytest.mark.parametrize("name", ["tic_tac_toe", "othello", "go(board_size=4)", "pig(winscore=10)", "catch"])
def test_contract_holds_with_stacked_positions(name: str) -> None:
    check_game(name, size=3, steps=60, history=3)


@pytest.mark.parametrize(
    "name", ["dots_and_boxes", "connect_four", "nim", "deep_sea", "cliff_walking", "catch"]
)
def test_contract_over_many_whole_games(name: str) -> None:
    check_game(name, size=6, steps=250, seed=3)


class Mutant(Subtraction):
    """Subtraction whose faults are switched on by name."""

    fault = ""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        if self.fault == "random start":
            self.pile = random.SystemRandom().randrange(4, 21)
        self.seen = np.zeros(22, np.float32)

    def step(self, action: int) -> float:
        reward = super().step(action)
        if self.fault == "same mover":
            self.player = 1 - self.player
        if self.fault == "pays early":
            return reward + 0.25
        return reward * (3 if self.fault == "pays too much" else 1)

    def legal(self) -> list[int]:
        return [] if self.fault == "no move" and self.pile < 9 else super().legal()

    def observe(self) -> Any:
        seen = super().observe().astype(np.float32)
        if self.fault == "not finite":
            seen[0] = np.nan
        return seen * (100 if self.fault == "out of range" else 1)


FAULTS = {
    "same mover": r"to_play\(\) after step\(\d\): expected player \d, .* got player \d again",
    "random start": "one seed differ",
    "pays early": r"expected a reward of 0 before the last move, .* got 0\.25",
    "pays too much": r"expected a return from min_return -1 to max_return 1 of the spec, got -?3",
    "no move": r"legal\(\): expected at least one of whole numbers from 0 to 2, .* got none",
    "not finite": r"observe\(\): expected finite numbers, got nan at \[0\]",
    "out of range": "outside",
    "max_length": "longer than max_length",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_contract_finds_a_fault(fault: str) -> None:
    spec = dataclasses.replace(Subtraction.spec, observation_dtype="float32")
    if fault == "max_length":
        spec = dataclasses.replace(spec, max_length=6)

    def factory(size: int, seed: int) -> games.GameBatch:
        cls = type("Faulty", (Mutant,), {"fault": fault})
        return Lockstep("faulty", cls, spec, size, seed)

    with pytest.raises(GameError, match=FAULTS[fault]):
        check_contract(factory, size=3, steps=60)


@pytest.mark.parametrize(
    "spec",
    [
        dataclasses.replace(Subtraction.spec, observation_shape=(3, 22)),
        dataclasses.replace(Subtraction.spec, observation_dtype="float32"),
    ],
)
def test_own_observations_of_another_shape_or_dtype_are_refused(spec: GameSpec) -> None:
    with pytest.raises(GameError, match=r"odd: row 0, move 1: observe\(\): expected .*, got uint8 \[22\]"):
        Lockstep("odd", Subtraction, spec, 2, 0).observe()


class Leaky(Lockstep):
    """Gives away its own array of returns."""

    def returns(self) -> Any:
        return self._returns


def test_contract_finds_a_shared_array() -> None:
    with pytest.raises(ContractError, match=r"returns\(\) isn't the caller's own copy"):
        check_contract(lambda size, seed: Leaky("leaky", Subtraction, Subtraction.spec, size, seed))


class Forgetful(OpenSpielBatch):
    """Restores positions, not the random state."""

    def restore(self, snapshot: dict[str, Any]) -> list[int]:
        return super().restore({**snapshot, "random": self._rng.bit_generator.state})


def test_contract_finds_a_forgotten_random_state() -> None:
    facts = load_facts("pig(winscore=30)")
    with pytest.raises(ContractError, match="restored from one snapshot differ"):
        check_contract(lambda size, seed: Forgetful(facts, size, seed))


class Greedy(Subtraction):
    """Allows more counters to be taken than there are."""

    def legal(self) -> list[int]:
        return [0, 1, 2]


def test_a_game_that_fails_by_itself_is_told_where() -> None:
    with pytest.raises(GameError, match=r"greedy: row \d, move \d+: observe\(\) raised IndexError: .* \(line"):
        check_contract(lambda size, seed: Lockstep("greedy", Greedy, Greedy.spec, size, seed), size=8)


class Wordless(Subtraction):
    """Can't be shown to people."""

    def render(self) -> str:
        return "counters: " + "o" * self.pile if self.pile > 15 else ["few", "none"][self.pile]


class Nameless(Subtraction):
    """Has no words for a move."""

    def action_name(self, action: int) -> str:
        return {1: "take 2", 2: "take 3"}[action]


@pytest.mark.parametrize(("kind", "message"), [
    (Wordless, r"row \d, move \d+: render\(\) raised IndexError"),
    (Nameless, r"row \d, move \d+: action_name\(\d\) raised KeyError"),
])
def test_a_game_that_people_could_not_play_breaks_the_contract(kind: type[Subtraction], message: str) -> None:
    with pytest.raises(GameError, match=message):
        check_contract(lambda size, seed: Lockstep("wordless", kind, kind.spec, size, seed))


class Dice(Subtraction):
    """Subtraction from a pile drawn by chance, with another counter lost now and then."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        self.generator = generator
        self.pile = int(generator.integers(8, 22))

    def step(self, action: int) -> float:
        reward = super().step(action)
        if self.pile > 1 and self.generator.random() < 0.5:
            self.pile -= 1
        return reward


def test_own_games_with_chance_keep_the_contract() -> None:
    check_contract(lambda size, seed: Lockstep("dice", Dice, Dice.spec, size, seed))


# --- steps, players, rewards --------------------------------------------------------------------------------


def test_step_refuses_before_any_game_moves() -> None:
    batch = games.make("tic_tac_toe", 2)
    with pytest.raises(GameError, match="row 1: 9 is illegal; legal: 0 1 2"):
        batch.step(np.array([0, 9], np.int32))
    with pytest.raises(GameError, match=r"expected int \[2\]"):
        batch.step(np.array([0.0, 1.0]))  # type: ignore[arg-type]
    with pytest.raises(GameError, match=r"rows: expected bool \[2\]"):
        batch.step(np.zeros(2, np.int32), np.array([0, 1]))  # type: ignore[arg-type]
    assert batch.legal().all()


def test_finished_row_stays_finished_and_empty_until_reset() -> None:
    batch = games.make("tic_tac_toe", 2)
    for move in (0, 3, 1, 4):
        batch.step(np.array([move, move], np.int32), np.array([True, False]))
    step = batch.step(np.array([2, 0], np.int32), np.array([True, False]))
    assert step.reward.tolist() == [1.0, 0.0]
    assert step.discount.tolist() == [0.0, 0.0]
    assert batch.returns().tolist() == [[1.0, -1.0], [0.0, 0.0]]
    assert batch.to_play().tolist() == [games.NO_PLAYER, 0]
    with pytest.raises(GameError, match="row 0 is over"):
        batch.step(np.array([5, 0], np.int32), np.array([True, True]))
    batch.reset(np.array([True, False]))
    assert batch.to_play().tolist() == [0, 0]
    assert batch.legal().all()


def test_a_single_game_can_end_and_no_row_can_move() -> None:
    batch = games.make("tic_tac_toe", 1)
    for move in (0, 3, 1, 4, 2):
        batch.step(np.array([move], np.int32))
    assert all_finished(batch)
    step = batch.step(np.zeros(1, np.int32))
    assert step.reward.tolist() == [0.0]


@pytest.mark.parametrize(("name", "first"), [("chess", 1), ("tic_tac_toe", 0), ("antichess", 1)])
def test_the_first_player_is_the_games_own(name: str, first: int) -> None:
    assert games.make(name, 2).to_play().tolist() == [first, first]


def test_an_extra_turn_has_discount_plus_one() -> None:
    batch = games.make("dots_and_boxes", 64)
    generator = np.random.default_rng(0)
    extra = 0
    while not all_finished(batch):
        before, legal = batch.to_play(), batch.legal()
        step = batch.step((legal * generator.random(legal.shape)).argmax(1).astype(np.int32))
        after = batch.to_play()
        extra += int((step.discount > 0).sum())
        assert ((step.discount > 0) == ((after == before) & (after >= 0))).all()
    assert extra > 0


def test_rewards_on_the_way_are_differences_of_returns() -> None:
    batch = games.make("cliff_walking", 1)
    total = 0.0
    for action in (1, 0, 0):
        total += float(batch.step(np.array([action], np.int32)).reward[0])
    assert total == -3.0
    assert batch.returns().tolist() == [[-3.0]]


def test_chance_follows_the_seed() -> None:
    def pictures(seed: int) -> bytes:
        return games.make("2048", 8, seed).observe().tobytes()

    assert pictures(1) == pictures(1)
    assert pictures(1) != pictures(2)


def test_chance_outcomes_have_their_probabilities() -> None:
    ball = games.make("catch", 4000, seed=5).observe()[:, 0, 0]
    share = ball.mean(axis=0)
    assert share.shape == (5,)
    # Five columns, standard error 0.0063.
    assert np.abs(share - 0.2).max() < 0.03


def test_set_history_and_snapshot_refuse_what_does_not_fit() -> None:
    batch = games.make("connect_four", 2)
    batch.set_history(0, [5, 5, 0, 6])  # type: ignore[attr-defined]
    before = batch.observe()
    with pytest.raises(GameError, match=r"7 is illegal after \[3\]"):
        batch.set_history(0, [3, 7])  # type: ignore[attr-defined]
    assert (batch.observe() == before).all()
    assert batch.state(0).history() == [5, 5, 0, 6]  # type: ignore[attr-defined]
    snapshot = json.loads(json.dumps(batch.snapshot()))
    with pytest.raises(GameError, match="expected 3 games of connect_four, got 2"):
        games.make("connect_four", 3).restore(snapshot)


def test_action_names_and_pictures() -> None:
    batch = games.make("connect_four", 1)
    assert batch.action_name(0, 3) == "x3"
    assert batch.action_name(0, 99) == "#99"
    assert "......." in batch.render(0)


# --- observations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SUPPORTED if load_facts(name).view.binary])
def test_binary_games_show_zeros_and_ones(name: str) -> None:
    for _, state in random_states(name, 150):
        raw = np.array(state.observation_tensor(state.current_player()))
        assert set(np.unique(raw)) <= {0.0, 1.0}


@pytest.mark.parametrize("name", [name for name in SUPPORTED if not load_facts(name).view.binary])
def test_other_games_are_scaled(name: str) -> None:
    batch = games.make(name, 4, seed=1)
    generator = np.random.default_rng(1)
    largest = 0.0
    for _ in range(80):
        largest = max(largest, float(np.abs(batch.observe()).max()))
        legal = batch.legal()
        batch.step((legal * generator.random(legal.shape)).argmax(1).astype(np.int32))
        batch.reset(batch.to_play() == games.NO_PLAYER)
    assert 0.3 < largest <= 1.5


@pytest.mark.parametrize("name", [name for name in SUPPORTED if games.spec(name).players == 2])
def test_relative_views_differ_between_players_and_the_others_do_not(name: str) -> None:
    side = load_facts(name).view.side
    differs = False
    for _, state in random_states(name, 40):
        differs |= state.observation_tensor(0) != state.observation_tensor(1)
    assert differs == (side == "relative")


@pytest.mark.parametrize(
    "name", ["tic_tac_toe", "connect_four", "go(board_size=5)", "gomoku(size=5)", "mnk(m=5,n=4,k=4)"]
)
def test_swapped_planes_put_the_mover_first(name: str) -> None:
    """The stones of plane 0 are exactly those the mover has placed (captures of Go apart)."""
    batch = games.make(name, 1, history=1)
    generator = np.random.default_rng(2)
    placed: dict[int, set[int]] = {0: set(), 1: set()}
    for _ in range(7):
        mover = int(batch.to_play()[0])
        planes = batch.observe()[0]
        if batch.spec.layout.kind == "cells":
            mine, theirs = (set(np.flatnonzero(planes[plane]).tolist()) for plane in (0, 1))
            assert mine == placed[mover]
            assert theirs == placed[1 - mover]
        else:
            assert planes[0].sum() == len(placed[mover])
            assert planes[1].sum() == len(placed[1 - mover])
        legal = np.flatnonzero(batch.legal()[0])
        action = int(generator.choice(legal[legal < np.prod(planes.shape[1:])]))
        placed[mover].add(action if batch.spec.layout.kind == "cells" else len(placed[mover]))
        batch.step(np.array([action], np.int32))
    assert placed[0]


def test_go_keeps_the_plane_that_tells_who_has_komi() -> None:
    batch = games.make("go(board_size=5)", 1, history=1)
    assert batch.observe()[0, 3].sum() == 0
    batch.step(np.array([12], np.int32))
    assert batch.observe()[0, 3].all()


def test_the_side_to_move_is_appended() -> None:
    batch = games.make("hex(board_size=3)", 1)
    assert batch.spec.observation_shape == (10, 3, 3)
    assert not batch.observe()[0, 9].any()
    batch.step(np.array([4], np.int32))
    assert batch.observe()[0, 9].all()


def test_history_is_newest_first_and_seen_by_the_mover() -> None:
    batch = games.make("tic_tac_toe", 1, history=3)
    assert batch.spec.observation_shape == (9, 3, 3)
    batch.step(np.array([4], np.int32))
    batch.step(np.array([0], np.int32))
    planes = batch.observe()[0].reshape(3, 3, 9)
    # Player 0 to move: own stone on 4 now and one move ago, the other's stone on 0 only now.
    assert planes[:, 0].argmax(axis=1).tolist() == [4, 4, 0]
    assert planes[:, 0].sum(axis=1).tolist() == [1, 1, 0]
    assert planes[:, 1].sum(axis=1).tolist() == [1, 0, 0]
    assert planes[:, 2].sum(axis=1).tolist() == [7, 8, 9]


def test_reset_in_the_middle_of_a_game_forgets_its_past() -> None:
    batch = games.make("tic_tac_toe", 2, history=2)
    batch.step(np.array([4, 4], np.int32))
    batch.reset(np.array([True, False]))
    assert not batch.observe()[0, 3:].any()
    assert batch.observe()[1, 3:].any()


def test_hex_boards_are_as_high_as_they_have_rows() -> None:
    batch = games.make("hex(num_cols=3,num_rows=5)", 1)
    assert batch.spec.observation_shape == (10, 5, 3)
    batch.step(np.array([3], np.int32))
    # Action 3 of 3 columns: the first cell of the second row. Plane 4 is empty cells.
    assert np.argwhere(batch.observe()[0, 4] == 0).tolist() == [[1, 0]]


def test_history_of_relative_games_is_turned_to_the_mover() -> None:
    batch = games.make("othello", 1, history=2)
    generator = np.random.default_rng(0)
    last = batch.observe()[0, :3]
    for _ in range(6):
        legal = batch.legal()
        batch.step((legal * generator.random(legal.shape)).argmax(1).astype(np.int32))
        now = batch.observe()[0]
        # The same stones one move ago, the two players' planes exchanged.
        assert (now[3:] == last[[0, 2, 1]]).all()
        last = now[:3]


def changed_cells(before: Any, after: Any, shape: tuple[int, int, int]) -> set[int]:
    change = (np.array(before.observation_tensor(0)) != np.array(after.observation_tensor(0))).reshape(shape)
    # A plane that changes as a whole tells who is to move.
    kept = [plane for plane in change if not plane.all()]
    return set(np.flatnonzero(np.any(kept, axis=0)).tolist()) if kept else set()


LAID_OUT = [
    "amazons(board_size=6)",
    "breakthrough(rows=6,columns=5)",
    "checkers",
    "clobber",
    "connect_four(rows=4,columns=5)",
    "go(board_size=5)",
    "gomoku(size=6)",
    "havannah(board_size=3)",
    "hex(board_size=4,swap=True)",
    "hex(num_cols=3,num_rows=5)",
    "lines_of_action",
    "mnk(m=4,n=3,k=3)",
    "othello",
    "tic_tac_toe",
    "xiangqi",
    "y(board_size=5)",
]


@pytest.mark.parametrize("name", LAID_OUT)
def test_actions_lie_where_the_layout_says(name: str) -> None:
    facts = load_facts(name)
    layout, (channels, height, width) = facts.spec.layout, facts.frame_shape
    if layout.kind == "cells":
        assert facts.spec.num_actions == height * width * layout.planes + layout.extra
    else:
        assert facts.spec.num_actions == width
    generator = random.Random(1)
    for _, state in random_states(name, 120):
        action = generator.choice(state.legal_actions())
        child = state.child(action)
        if child.is_terminal() or action >= facts.spec.num_actions - layout.extra:
            continue
        cells = changed_cells(state, child, (channels, height, width))
        if layout.kind == "columns":
            assert {cell % width for cell in cells} == {action}
        else:
            assert action // layout.planes in cells


def test_every_laid_out_game_is_tested() -> None:
    laid_out = {name for name, view in VIEWS.items() if view.layout.kind != "flat"}
    # A turn of Pentago may carry the stone away from its cell.
    assert laid_out == {parse_name(name).short for name in LAID_OUT} | {"pentago"}


def test_pentago_places_its_stone_in_the_cell_of_the_action() -> None:
    state = load_facts("pentago").game.new_initial_state()
    # The middle of a quadrant stays where it is under every turn.
    for row, column in itertools.product((1, 4), repeat=2):
        cell = row * 6 + column
        assert changed_cells(state, state.child(cell * 8 + 3), (3, 6, 6)) == {cell}
