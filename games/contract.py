"""The contract test of a game, by random play. A new game is correct once this passes.

A failed check names the broken clause, so that the message is enough to fix the game.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import games
from games.base import NO_PLAYER, GameBatch, GameError, IntArray, MaskArray, Step

BatchFactory = Callable[[int, int], GameBatch]
"""(size, seed) -> a fresh batch"""
REPLAYED = 12
"""Steps compared after a snapshot is restored."""
OUT_OF_RANGE = "observe() is far outside the range that the spec states"
SAME = ("observe", "legal", "to_play", "returns")
"""What two batches with the same seed must agree in."""


class ContractError(GameError):
    """A clause of the contract that a game breaks."""


def check_game(
    name: str, *, size: int = 4, steps: int = 120, seed: int = 0, history: int | None = None
) -> None:
    """Check a game by name; see `check_contract`."""
    check_contract(lambda n, s: games.make(name, n, s, history), size=size, steps=steps, seed=seed)


def check_contract(factory: BatchFactory, *, size: int = 4, steps: int = 120, seed: int = 0) -> None:
    """Play `steps` random lockstep moves in `size` games and check every clause. Raises ContractError."""
    try:
        _play_and_check(factory, size, steps, seed)
    except GameError:
        raise
    except Exception as error:
        # Any exception from the game's own code is itself the finding.
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise ContractError(f"the game's own code fails after moves that legal() allows: {error!r} in {last.name}, "
                            f"line {last.lineno} of {last.filename}") from error


def _play_and_check(factory: BatchFactory, size: int, steps: int, seed: int) -> None:
    batch, twin = factory(size, seed), factory(size, seed)
    player = RandomPlay(batch, seed)
    check_position(batch)
    _check_refusals(batch)
    for count in range(steps):
        check_position(batch)
        check_words(batch)
        _require(in_range(batch), batch, OUT_OF_RANGE)
        check_same(batch, twin, "two batches of one seed")
        if count in (steps // 3, steps - 1):
            _check_snapshot(factory, batch, seed + 1 + count)
        actions, rows = player.choose()
        step, other = player.step(actions, rows), twin.step(actions, rows)
        same_pay = step.reward.tobytes() == other.reward.tobytes()
        _require(same_pay, batch, "two batches of one seed pay differently")
        finished = batch.to_play() == NO_PLAYER
        if finished.any():
            player.reset(finished)
            twin.reset(finished)


class RandomPlay:
    """Random moves in a batch, with a ledger of rewards kept beside it."""

    def __init__(self, batch: GameBatch, seed: int) -> None:
        self.batch = batch
        self._generator = np.random.default_rng(seed)
        self._ledger: NDArray[np.float64] = np.zeros((batch.size, batch.spec.players))
        self._paid: NDArray[np.float64] = np.zeros((batch.size, 1))
        """[N, 1] sum of the magnitudes of rewards, each rounded to float32: bounds the rounding error"""
        self._lengths = np.zeros(batch.size, np.int64)
        self._frame = batch.spec.frame_shape[0]
        self._check_starts(np.ones(batch.size, np.bool_))

    def choose(self) -> tuple[IntArray, MaskArray]:
        """Legal actions [N], and the rows [N] to move: three in four, at least one."""
        actions = _random_legal(self.batch, self._generator)
        rows = self._generator.random(self.batch.size) < 0.75
        rows[self._generator.integers(self.batch.size)] = True
        return actions, rows

    def step(self, actions: IntArray, rows: MaskArray) -> Step:
        """Step, and check the result against the players before and after."""
        batch = self.batch
        before, seen = batch.to_play(), batch.observe()
        step = batch.step(actions, rows)
        _check_step(batch, step, rows, before)
        now = batch.observe()
        _require(bool((now[~rows] == seen[~rows]).all()), batch, "a row that didn't move changed")
        going = rows & (batch.to_play() != NO_PLAYER)
        shifted = (now[going, : -self._frame] == seen[going, self._frame :]) if batch.spec.frames > 1 else np.True_
        _require(bool(np.all(shifted)), batch, "an observation's frames didn't move up by one")
        for row in np.flatnonzero(rows):
            self._ledger[row, before[row]] += step.reward[row]
            if batch.spec.players == 2:
                self._ledger[row, 1 - before[row]] -= step.reward[row]
        self._paid[:, 0] += np.abs(step.reward)
        self._lengths += rows
        short = bool((self._lengths <= batch.spec.max_length).all())
        _require(short, batch, "a game is longer than max_length")
        _require(
            bool((np.abs(batch.returns() - self._ledger) <= 1e-3 + 1e-6 * self._paid).all()),
            batch,
            "returns() isn't the sum of rewards, each signed for the player",
        )
        self._check_ends(step, rows, batch.to_play() == NO_PLAYER)
        return step

    def _check_ends(self, step: Step, rows: MaskArray, finished: MaskArray) -> None:
        spec, returns = self.batch.spec, self.batch.returns()
        if not spec.rewards_on_the_way:
            _require(not step.reward[rows & ~finished].any(), self.batch, "a move before the last one pays")
        inside = (returns >= spec.min_return - 1e-6) & (returns <= spec.max_return + 1e-6)
        _require(bool(inside[finished].all()), self.batch, "a return outside [min_return, max_return]")

    def reset(self, finished: MaskArray) -> None:
        """Reset the finished games; the others must stay as they are."""
        batch = self.batch
        seen = batch.observe()
        batch.reset(finished)
        others_stay = bool((batch.observe()[~finished] == seen[~finished]).all())
        _require(others_stay, batch, "reset touched another row")
        self._ledger[finished] = self._paid[finished] = 0
        self._lengths[finished] = 0
        _require(not batch.returns()[finished].any(), batch, "returns() isn't 0 after reset")
        self._check_starts(finished)

    def _check_starts(self, rows: MaskArray) -> None:
        """Frames from before the start are zero."""
        before = self.batch.observe()[rows, : self._frame * (self.batch.spec.frames - 1)]
        _require(not before.any(), self.batch, "a frame from before the start isn't zero")


def _require(holds: bool, batch: GameBatch, clause: str) -> None:
    if not holds:
        raise ContractError(f"{batch.spec.name}: {clause}")


def _random_legal(batch: GameBatch, generator: np.random.Generator) -> IntArray:
    """A uniformly random legal action in each row [N]; 0 in finished rows."""
    legal = batch.legal()
    actions: IntArray = (legal * (generator.random(legal.shape) + 1e-9)).argmax(axis=1).astype(np.int32)
    return actions


def in_range(batch: GameBatch) -> bool:
    """Whether the observations are about as large as the spec says."""
    seen = batch.observe()
    return bool((np.abs(seen.astype(np.float64)) <= 8 * batch.spec.observation_high).all())


def check_position(batch: GameBatch) -> None:
    """Check shapes, dtypes, ranges, copies, and finished rows."""
    spec, size = batch.spec, batch.size
    seen, legal, to_play = batch.observe(), batch.legal(), batch.to_play()
    _require(seen.shape == (size, *spec.observation_shape), batch, f"observe() has shape {seen.shape}")
    _require(seen.dtype == np.dtype(spec.observation_dtype), batch, f"observe() has dtype {seen.dtype}")
    _require(bool(np.isfinite(seen).all()), batch, "observe() isn't finite")
    _require(legal.shape == (size, spec.num_actions), batch, f"legal() has shape {legal.shape}")
    _require(legal.dtype == np.bool_, batch, f"legal() has dtype {legal.dtype}")
    _require(to_play.shape == (size,) and to_play.dtype == np.int32, batch, "to_play() isn't int32 [N]")
    finished = to_play == NO_PLAYER
    players = to_play[~finished]
    _require(bool(((players >= 0) & (players < spec.players)).all()), batch, "to_play() names no player")
    _require(bool(legal[~finished].any(axis=1).all()), batch, "an unfinished row has no legal move")
    _require(not legal[finished].any(), batch, "a finished row has legal moves")
    _require(not seen[finished].any(), batch, "a finished row shows an observation")
    for what in SAME:
        array = getattr(batch, what)()
        before = array.tobytes()
        array[:] = ~array if array.dtype == np.bool_ else 1 - array
        _require(getattr(batch, what)().tobytes() == before, batch, f"{what}() isn't the caller's own copy")


def check_words(batch: GameBatch) -> None:
    """The first unfinished position and its first legal action can be shown to people. Raises GameError."""
    rows = np.flatnonzero(batch.to_play() != NO_PLAYER)
    if len(rows) > 0:
        row = int(rows[0])
        batch.render(row)
        batch.action_name(row, int(batch.legal()[row].argmax()))


def _check_step(batch: GameBatch, step: Step, rows: MaskArray, before: IntArray) -> None:
    """Check shapes of a step, zeros outside `rows`, and discounts against who moves next."""
    shapes_fit = all(array.shape == (batch.size,) for array in (step.reward, step.discount, step.truncated))
    _require(shapes_fit, batch, "a step's arrays aren't [N]")
    kinds_fit = step.reward.dtype == step.discount.dtype == np.float32 and step.truncated.dtype == np.bool_
    _require(kinds_fit, batch, "a step's arrays aren't float32, float32 and bool")
    silent = not any(array[~rows].any() for array in (step.reward, step.discount, step.truncated))
    _require(silent, batch, "a row outside rows isn't zero")
    after = batch.to_play()
    expected = np.where(after == NO_PLAYER, 0, np.where(after == before, 1, -1))
    told = rows & ~step.truncated
    _require(bool((step.discount[told] == expected[told]).all()), batch, "discount and to_play() disagree")
    _require(bool((step.discount[step.truncated] != 0).all()), batch, "a truncated row has discount 0")
    if batch.spec.alternates:
        _require(not (step.discount > 0).any(), batch, "a player moves twice though spec.alternates")


def _check_refusals(batch: GameBatch) -> None:
    """Illegal moves and wrong shapes raise GameError and change nothing."""
    seen, legal = batch.observe(), batch.legal()
    fine = legal.argmax(axis=1).astype(np.int32)
    for bad in (-1, batch.spec.num_actions, *np.flatnonzero(~legal[-1])[:1].tolist()):
        wrong = fine.copy()
        wrong[-1] = bad
        _check_refused(batch, wrong, f"action {bad} is accepted though illegal")
    _check_refused(batch, fine[:-1], "actions of a wrong shape are accepted")
    _check_refused(batch, fine.astype(np.float64), "actions of a wrong dtype are accepted")
    _require(bool((batch.observe() == seen).all()), batch, "a refused move changed a game")


def _check_refused(batch: GameBatch, actions: NDArray[Any], clause: str) -> None:
    try:
        batch.step(actions)
    except GameError:
        return
    raise ContractError(f"{batch.spec.name}: {clause}")


def check_same(batch: GameBatch, other: GameBatch, who: str) -> None:
    for what in SAME:
        same = getattr(batch, what)().tobytes() == getattr(other, what)().tobytes()
        _require(same, batch, f"{who} differ in {what}()")


def _check_snapshot(factory: BatchFactory, batch: GameBatch, seed: int) -> None:
    """A snapshot that went through JSON, restored into two batches of other seeds, continues like the original."""
    snapshot = json.loads(json.dumps(batch.snapshot()))
    first, second = factory(batch.size, seed + 1), factory(batch.size, seed + 2)
    astray = [*first.restore(snapshot), *second.restore(snapshot)]
    _require(not astray, batch, "a game played again from its snapshot goes another way")
    check_same(batch, first, "a batch and its restored snapshot")
    generator = np.random.default_rng(seed)
    for _ in range(REPLAYED):
        finished = first.to_play() == NO_PLAYER
        first.reset(finished)
        second.reset(finished)
        actions = _random_legal(first, generator)
        first.step(actions)
        second.step(actions)
        check_same(first, second, "two batches restored from one snapshot")
