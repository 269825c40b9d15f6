"""Saving and resuming of a run: metrics, snapshots of its agent, and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from muzero.storage import agent_folder, checkpoint, runs
from muzero.storage.metrics import Metrics
from muzero.training import deliveries
from muzero.training.source import Files, SnapshotError
from muzero.training.state import RunState


class RunFolder:
    """Saves `state` to the folder `out`, and restores it from there."""

    def __init__(self, out: Path, state: RunState, metrics: Metrics) -> None:
        self.out, self.state, self.metrics = out, state, metrics
        self.snapshots_left = 0
        """Number of snapshots saved, including missed ones."""

    def measure(self, values: Mapping[str, float]) -> None:
        """Store metrics of this step. Raises CheckpointError, after saving the run."""
        try:
            self.metrics.write(self.state.learner.steps, values)
        except checkpoint.CheckpointError:
            self.save()
            raise

    # --- snapshots ------------------------------------------------------------------------------------------------

    def leave_snapshot(self) -> None:
        """Save an agent with the current weights for play, at every multiple of `train.snapshot_minutes` of training.

        Raises CheckpointError, after saving the run, and LearningError instead of saving weights that aren't finite.
        """
        due = self.snapshots_due
        if due == self.snapshots_left:
            return
        self.snapshots_left = due
        learner = self.state.learner
        learner.check_finite()
        try:
            agent_folder.snapshot(self.out, learner.steps, learner.averaged.state_dict(), self.state.config,
                                  self._card())
        except checkpoint.CheckpointError:
            self.save()
            raise

    @property
    def snapshots_due(self) -> int:
        """How many should have been saved by now."""
        every = 60.0 * self.state.config.train.snapshot_minutes
        return int(self.state.clock.elapsed / every) if every > 0.0 and self.state.learner.steps > 0 else 0

    def _card(self) -> dict[str, Any]:
        """The model card of a snapshot."""
        state = self.state
        return {"game": state.config.game, "seed": state.config.train.seed,
                "minutes": f"{state.clock.elapsed / 60.0:.1f}", "games_played": f"{state.games:,}",
                "positions_played": f"{state.played:,}"}

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def save(self, unfinished: bool = True) -> None:
        """Write a checkpoint; unfinished: include unfinished games.

        Raises CheckpointError, LearningError instead of saving weights that aren't finite, and SnapshotError after
        saving everything except the snapshot of the source of games.
        """
        state = self.state
        state.learner.check_finite()
        state.batches.rest()
        files, told = _tensor_files(state), _counts(state)
        if unfinished:
            try:
                held, also = deliveries.snapshot(state.source)
            except SnapshotError:
                self.save(unfinished=False)
                raise
            files, told = files | held, told | also
        checkpoint.save(self.out, state.learner.steps, files, told, state.config, elapsed=state.clock.elapsed)

    def resume(self, folder: Path) -> bool:
        """Resume from a checkpoint of this run; returns False if its source of games needs weights.

        Raises Damaged if its content doesn't fit its own config, which `check_continues` has accepted.
        """
        stored = checkpoint.load(folder)
        try:
            anew = self._restore(stored)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
            raise checkpoint.Damaged(f"{folder} doesn't fit its own config: {error!r}; if another version of "
                                     "muzero-engine started this run, resume it with that one") from error
        self.forget_after(stored.step)
        self.state.anew = anew or 0
        return anew is not None

    def forget_after(self, step: int) -> None:
        """Drop metrics and snapshots later than `step`, where the run resumes: a kill left them behind."""
        self.metrics.truncate(step)
        runs.drop_snapshots(self.out, step)

    def _restore(self, stored: checkpoint.Checkpoint) -> int | None:
        """Restore `stored`; returns what `Source.restore` returns."""
        state, counts = self.state, stored.state
        weights = stored.tensors["weights"]
        state.learner.restore(stored.tensors.get("trained", weights), weights, stored.tensors["optimizer"], stored.step)
        _restore_replay(state, stored)
        state.drawn, state.games = checkpoint.count_of(counts, "drawn"), checkpoint.count_of(counts, "games")
        # Not stored by older versions.
        state.cut = checkpoint.count_of(counts, "cut") if "cut" in counts else 0
        state.rng.bit_generator.state = counts["rng"]
        torch.set_rng_state(torch.frombuffer(bytearray.fromhex(counts["torch_rng"]), dtype=torch.uint8))
        state.clock.before, state.evaluated = stored.elapsed, stored.step
        self.snapshots_left = self.snapshots_due
        if state.reanalyser is not None:
            state.reanalyser.load(stored.tensors.get("reanalysing", weights))
            if "reanalysis" in counts:
                state.reanalyser.restore(counts["reanalysis"])
        return state.source.restore(stored.tensors, counts)


def _restore_replay(state: RunState, stored: checkpoint.Checkpoint) -> None:
    arrays = {name: value.numpy() for name, value in stored.tensors["replay"].items()}
    # Older versions stored a position in every place.
    written = checkpoint.count_of(stored.state, "written") if "written" in stored.state else None
    added, most = checkpoint.count_of(stored.state, "added"), checkpoint.number_of(stored.state, "max_priority")
    state.replay.restore(arrays, added, most, written)
    if state.held_out is not None:
        arrays = {name: value.numpy() for name, value in stored.tensors["held_out"].items()}
        counts = stored.state["held_out"]
        state.held_out.replay.restore(
            arrays, checkpoint.count_of(counts, "added"), 1.0, checkpoint.count_of(counts, "written"))


def _tensor_files(state: RunState) -> Files:
    """The tensor files of a checkpoint, except those of the source of games."""
    learner = state.learner
    files: Files = {
        "weights": dict(learner.averaged.state_dict()),
        "optimizer": learner.optimizers.tensors(),
        "replay": state.replay.arrays(),
    }
    if learner.averaged is not learner.model:
        files["trained"] = dict(learner.model.state_dict())
    if state.reanalyser is not None:
        files["reanalysing"] = dict(state.reanalyser.network.state_dict())
    if state.held_out is not None:
        files["held_out"] = state.held_out.replay.arrays()
    return files


def _counts(state: RunState) -> dict[str, Any]:
    """Counters and random states of a checkpoint, as JSON values."""
    counts: dict[str, Any] = {
        # A batch not yet learned from will be sampled again.
        "drawn": state.learned_from, "games": state.games, "cut": state.cut, "added": state.replay.added,
        "written": state.replay.written, "max_priority": state.replay.max_priority,
        "rng": state.rng.bit_generator.state, "torch_rng": torch.get_rng_state().numpy().tobytes().hex(),
    }
    if state.reanalyser is not None:
        counts["reanalysis"] = state.reanalyser.snapshot()
    if state.held_out is not None:
        counts["held_out"] = {"added": state.held_out.replay.added, "written": state.held_out.replay.written}
    return counts
