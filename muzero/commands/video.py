"""`muzero evaluate RUN --video FILE`: one game as a film, with value and policy beside the frames."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muzero.evaluation.progress import Ticker
from muzero.play.viewing import Viewing
from muzero.storage.disk import TEMPORARY
from muzero.view.console import USAGE, CommandError, log, tell
from muzero.view.film import Picture, picture

if TYPE_CHECKING:
    from muzero.agent import Agent

INSTALL = "pip install 'muzero-engine[video]'"
FRAMES_A_SECOND = 15
"""As many moves as Atari makes in a second."""
KINDS = (".mp4", ".gif")
LONGEST = 10_000
"""Moves filmed at most: eleven minutes."""


def check(path: Path) -> None:
    """Refuse a file that can't become a film. Raises CommandError."""
    if path.suffix.lower() not in KINDS:
        raise CommandError(f"--video {path}: {' or '.join(KINDS)} wanted at the end of the name", USAGE)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise CommandError(f"--video {path}: can't be written there", USAGE)
    try:
        import av
        import PIL
    except ImportError as error:
        raise CommandError(f"--video needs packages that aren't installed ({error}): {INSTALL}", USAGE) from error
    del av, PIL


def record(agent: Agent, path: Path, seed: int, simulations: int | None, max_moves: int = 0) -> dict[str, Any]:
    """Play and film one game; what came of it as JSON values. Raises CommandError where the file can't be written."""
    viewing = Viewing(agent, seed, simulations, max_moves)
    log(f"filming one game to {path} ...")
    write(path, film(viewing))
    rest = "" if viewing.over else f" (films end at {LONGEST:,} moves; the game goes on)"
    rest += f" (cut after {viewing.limit:,} moves)" if viewing.cut_short else ""
    tell(f"filmed {len(viewing.values):,} moves, score {viewing.score:g}: {path}{rest}")
    return {"video": {"file": str(path), "moves": len(viewing.values), "score": viewing.score,
                      "whole": viewing.over and not viewing.cut_short}}


def film(viewing: Viewing) -> Iterator[Picture]:
    """A picture before each move, until the game is over; says now and then how far it is."""
    ticker = Ticker("filming:")
    while not viewing.over and len(viewing.values) < LONGEST:
        analysis = viewing.think()
        yield picture(viewing.scene(analysis))
        viewing.step(analysis)
        ticker.tell(f"move {len(viewing.values):,}, score {viewing.score:g}")


def write(path: Path, moments: Iterator[Picture]) -> None:
    """The film, whole or not at all. Raises CommandError where the disk refuses."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        (_write_gif if path.suffix.lower() == ".gif" else _write_mp4)(temporary, moments)
        temporary.replace(path)
    except OSError as error:
        raise CommandError(f"--video {path} could not be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_mp4(path: Path, moments: Iterator[Picture]) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as file:
        first = next(moments)
        stream = file.add_stream("libx264", rate=FRAMES_A_SECOND, pix_fmt="yuv420p")
        stream.height, stream.width = first.shape[:2]
        for moment in chain([first], moments):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(moment, format="rgb24")))
        file.mux(stream.encode())


def _write_gif(path: Path, moments: Iterator[Picture]) -> None:
    from PIL import Image

    frames = (Image.fromarray(moment).quantize(64) for moment in moments)
    first = next(frames)
    first.save(path, "GIF", save_all=True, append_images=frames, duration=10 * round(100 / FRAMES_A_SECOND), loop=0)
