"""The protocol of an evaluation, in words."""

from __future__ import annotations

from muzero.evaluation.episodes import EpisodesReport


def of_episodes(report: EpisodesReport) -> str:
    """The protocol under which episodes of a one-player game were measured."""
    facts, limit = report.atari, report.limit
    if facts is None:
        return f"whole games of one player, the game's own rewards, cut after {limit:,} moves"
    sooner = f"; cut after {limit:,} moves already" if limit < facts.spec.max_length else ""
    protocol = facts.protocol
    fewer = f"fewer than {protocol.noops}" if protocol.noops else "no"
    return (f"{facts.protocol_name}: whole games of all lives, raw scores, cut after {protocol.cap:,} frames; "
            f"frame skip {protocol.skip}, the maximum of the last two; sticky actions {protocol.sticky:g}; "
            f"{protocol.actions} actions ({facts.spec.num_actions}); {fewer} frames without action at the start; "
            f"{protocol.stack} frames of {protocol.size} x {protocol.size} pixels, {protocol.colour}{sooner}")
