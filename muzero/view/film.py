"""Frames of a film: a picture of the game with the agent's analysis next to it.

Drawn with Pillow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, IntArray
from games.extras import installing

if TYPE_CHECKING:
    from PIL import ImageDraw

Picture = NDArray[np.uint8]
"""[H, W, 3]"""

KINDS = (".mp4", ".gif")
"""File extensions of films."""
INSTALL = installing("video")
"""Installs Pillow, and PyAV for .mp4."""
HEIGHT = 420
"""Height of the whole picture, in pixels; even, as video codecs require."""
PANEL = 320
"""Width of the panel next to the frame."""
MARGIN, LINE, TEXT = 14, 18, 13
CURVE = 110
"""Height of the curve of values."""
SCALE = 54
"""Width of the numbers next to it."""
LEAST_RANGE = 0.02
"""Least range of the curve: two units of the last digit of its numbers."""
MOST = 10
"""Number of actions shown: the most probable ones."""
BACKGROUND, INK, DIM, ACCENT, CHOSEN = "#16181d", "#e8e8e8", "#8a8f98", "#56B4E9", "#E69F00"


@dataclass(frozen=True)
class Scene:
    """The data of one frame, before a move."""

    frame: Picture
    title: str
    move: int
    score: float
    values: tuple[float, ...]
    """The agent's value before each move so far, this one last."""
    names: tuple[str, ...]
    policy: FloatArray
    """[A] of the search"""
    visits: IntArray
    """[A] of the search"""
    action: int
    """the move that follows"""
    lives: int | None = None


def standing(move: int, score: float, lives: int | None) -> str:
    """The state of a game, in words."""
    return f"move {move:,}   score {score:g}" + (f"   lives {lives}" if lives else "")


def picture(scene: Scene) -> Picture:
    """[HEIGHT, W, 3]: the frame with its aspect ratio, the score, the curve of values and the policy."""
    from PIL import Image, ImageDraw

    frame = Image.fromarray(scene.frame)
    width = HEIGHT * frame.width // frame.height // 2 * 2
    canvas = Image.new("RGB", (width + PANEL, HEIGHT), BACKGROUND)
    canvas.paste(frame.resize((width, HEIGHT), Image.Resampling.NEAREST), (0, 0))
    pen = ImageDraw.Draw(canvas)
    _panel(pen, scene, width + MARGIN, width + PANEL - MARGIN)
    drawn: Picture = np.asarray(canvas, np.uint8)
    return drawn


def _panel(pen: ImageDraw.ImageDraw, scene: Scene, left: int, right: int) -> None:
    from PIL import ImageFont

    font: Any = ImageFont.load_default(size=TEXT)
    y = MARGIN
    for text, colour in ((scene.title, INK), (standing(scene.move, scene.score, scene.lives), INK),
                         (f"value {scene.values[-1]:.3f}, the agent's estimate", ACCENT)):
        pen.text((left, y), text, fill=colour, font=font)
        y += LINE
    _curve(pen, scene.values, (left, y, right - SCALE, y + CURVE), font)
    y += CURVE + MARGIN
    shown = np.argsort(-scene.policy, kind="stable")[:MOST]
    for action in sorted(shown.tolist()):
        colour = CHOSEN if action == scene.action else ACCENT
        start = left + 100
        end = start + round(float(scene.policy[action]) * (right - start - 40))
        pen.text((left, y), scene.names[action][:14], fill=CHOSEN if action == scene.action else INK, font=font)
        pen.rectangle((start, y + 3, max(start, end), y + LINE - 5), fill=colour)
        pen.text((end + 6, y), f"{scene.policy[action]:.0%}", fill=DIM, font=font)
        y += LINE
    pen.text((left, HEIGHT - MARGIN - LINE), "bars: the search's policy; orange: the move made", fill=DIM, font=font)


def _curve(pen: ImageDraw.ImageDraw, values: tuple[float, ...], box: tuple[int, int, int, int], font: Any) -> None:
    """The newest values, one per pixel, on a scale with its ends printed next to the curve."""
    left, top, right, bottom = box
    newest = values[-(right - left) :]
    low, high = scale_of(newest)
    scale = (bottom - top - 4) / (high - low)
    pen.rectangle(box, outline=DIM)
    for y, value in ((top, high), (bottom - LINE, low)):
        pen.text((right + 6, y), f"{value:.2f}", fill=DIM, font=font)
    points = [(left + x, bottom - 2 - (value - low) * scale) for x, value in enumerate(newest)]
    if len(points) > 1:
        pen.line(points, fill=ACCENT, width=1)


def scale_of(values: tuple[float, ...]) -> tuple[float, float]:
    """Both ends of a scale for values, far enough apart to differ as printed."""
    low, high = min(values), max(values)
    wider = max(0.0, LEAST_RANGE - (high - low)) / 2
    return low - wider, high + wider
