"""An inspection as a page of its own: no script and nothing from outside, for screens of any width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from games.base import NO_PLAYER
from muzero.inspection.imagined import Imagination, Imagined, Ply, Share
from muzero.inspection.position import Candidate, PositionReport
from muzero.inspection.tree import ROOT, SearchTree, TreeNode
from muzero.play.session import Position
from muzero.reports.inspection import board_svg, imagined_text, tree_text
from muzero.reports.inspection.facts import facts
from muzero.reports.inspection.markup import COLOURS, element, escaped
from muzero.reports.inspection.words import (
    ILLEGAL,
    START,
    cut,
    heading,
    marks,
    percent,
    short_sign,
    sign,
    values,
)
from muzero.view.wrapping import plain

NAME = 40
"""Most characters of a move."""
LISTED = 12
"""Moves of the table that are always shown."""
DEEPEST = 100
"""Moves ahead that are shown: browsers nest only some hundred elements."""
BOARDS = "Boards: ring: the last move; ring of dashes: differs from the real board."
OPEN = 2
"""Moves of the expected line that are open at first."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser itself refuses scripts and anything from outside."""
STYLE = COLOURS + board_svg.STYLE + """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--ground); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } p { margin: .3rem 0; }
.soft { color: var(--soft); } .p0 { color: var(--first); } .p1 { color: var(--second); } .bad { color: var(--bad); }
.beside { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
.beside > * { min-width: 0; }
.wide { overflow-x: auto; max-width: 100%; }
pre { margin: 0; overflow-x: auto; font-size: .8rem; line-height: 1.25; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; color: var(--soft); }
.bar { display: inline-block; width: 5rem; height: .5rem; background: var(--card); }
.bar span { display: block; height: 100%; background: var(--bar); }
details details { margin-left: .55rem; border-left: 1px solid var(--line); padding-left: .45rem; }
summary { cursor: pointer; padding: .25rem .2rem; border-radius: 4px; font-variant-numeric: tabular-nums; }
summary:hover { background: var(--card); } summary b { overflow-wrap: anywhere; }
.best > summary { box-shadow: inset 3px 0 var(--best); padding-left: .5rem; }
summary .soft { font-size: .875rem; margin-left: .5rem; white-space: nowrap; }
.card { background: var(--card); border-radius: 6px; padding: .6rem .7rem; margin: .2rem 0 .4rem; }
.card figure { flex-basis: 11rem; }
dl { margin: 0; display: grid; grid-template-columns: auto 1fr; gap: .05rem .7rem; font-size: .875rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0; flex: 0 1 13rem; min-width: 8rem; } figcaption { color: var(--soft); font-size: .875rem; }
.ply figure { flex: 1 1 8.5rem; max-width: 13rem; }
.ply { border-top: 1px solid var(--line); padding: .8rem 0; }
@media (max-width: 30rem) { body { padding: .7rem; } th, td { padding: .2rem .35rem; font-size: .875rem; }
  .bar { width: 2.5rem; } details details { margin-left: .25rem; padding-left: .3rem; } }
"""


def text(report: PositionReport, tree: SearchTree) -> str:
    """The whole page."""
    board = report.position.board
    sections = ["" if board is None else board_svg.defined(board), _head(report), _moves(report),
                _tree(report, tree), "" if report.imagination is None else _imagination(report, report.imagination),
                f"<p>{escaped(report.no_imagination)}</p>" if report.no_imagination else ""]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escaped(POLICY)}"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{escaped(heading(report))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in sections if part) + "\n</body>\n</html>\n")


def _head(report: PositionReport) -> str:
    who = sign(report, report.player, True)
    mover = f' <span class="p{report.player}">{escaped(who)}</span> to move.' if who else ""
    rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in values(report))
    seen = "for the player to move" if who else "the return to come"
    return (f"<h1>{escaped(heading(report))}</h1>\n"
            f'<p class="soft">{escaped(report.agent)}, step {report.step:,}, {escaped(report.effort)}.{mover}</p>\n'
            f'<div class="beside">{_position(report.position)}<div><table><tr><th>value, {seen}</th><th></th></tr>'
            f"{rows}</table><p>expects {escaped(report.line.text(True))}</p></div></div>")


def _position(position: Position | None) -> str:
    """The board, or the game's own text."""
    if position is None:
        return ""
    if position.board is not None:
        return f"<figure>{board_svg.picture(position.board, position.added)}</figure>"
    return f"<pre>{escaped(plain(position.text))}</pre>"


def _moves(report: PositionReport) -> str:
    most = max(1, *(one.visits for one in report.candidates))
    head = "".join(f"<th>{name}</th>" for name in ("move", "network", "search", "visits", "", "Q"))
    rows = [_move(one, most) for one in report.candidates]
    first, rest = (f'<div class="wide"><table><tr>{head}</tr>{"".join(part)}</table></div>'
                   for part in (rows[:LISTED], rows[LISTED:]))
    more = f"<details><summary>{len(rows) - LISTED:,} more</summary>{rest}</details>" if rows[LISTED:] else ""
    return (f"<h2>What the network and the search think</h2>\n{first}{more}\n"
            '<p class="soft">network: its policy; search: the improved policy; Q: for the player to move.</p>')


def _move(one: Candidate, most: int) -> str:
    bar = f'<span class="bar"><span style="width:{100 * one.visits / most:.0f}%"></span></span>'
    cells = (escaped(cut(one.name, NAME)), f"{one.prior:.1%}", f"{one.policy:.1%}", f"{one.visits:,}", bar,
             "" if one.q is None else f"{one.q:+z.3f}")
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _tree(report: PositionReport, tree: SearchTree) -> str:
    return (f"<h2>{escaped(tree_text.heading(tree))}</h2>\n"
            '<p class="soft">Open a move for its numbers, the board and the replies. The expected line has a bar at '
            f"its left.</p>\n{_node(report, tree, ROOT)}")


def _node(report: PositionReport, tree: SearchTree, number: int) -> str:
    node = tree.nodes[number]
    shown = node.children if node.depth < DEEPEST else ()
    children = "".join(_node(report, tree, child) for child in shown)
    hidden = node.family - len(shown)
    rest = f'<p class="soft">{hidden:,} more</p>' if hidden else ""
    # The board of the root stands above.
    position = _position(node.truth.position) if number != ROOT else ""
    card = (f'<div class="card beside">{position}<dl>'
            + "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>"
                      for name, value in facts(report, tree, node)) + "</dl></div>")
    return element("details", f"{_summary(report, node)}{card}{children}{rest}",
                   class_="best" if node.expected else None,
                   open="" if node.expected and node.depth < OPEN else None)


def _summary(report: PositionReport, node: TreeNode) -> str:
    mark = marks(node, True)
    who = short_sign(report, node.mover, True)
    named = escaped(START if node.parent < 0 else cut(node.truth.name, NAME))
    value = f"value {node.value:+z.3f}" if node.parent < 0 else f"Q {node.q:+z.3f}"
    return ("<summary>" + (f'<span class="p{node.mover}">{escaped(who)}</span> ' if who else "") + f"<b>{named}</b>"
            + (f' <span class="bad">{mark}</span>' if mark else "")
            + f'<span class="soft">{node.visits:,}</span><span class="soft">{value}</span></summary>')


def _imagination(report: PositionReport, found: Imagination) -> str:
    plies = "".join(_ply(report, one, number, found.replayed) for number, one in enumerate(found.plies))
    about = (BOARDS,) if imagined_text.compares(found) else ()
    notes = "".join(f'<p class="soft">{escaped(note)}</p>' for note in (*about, *imagined_text.KEY, *found.notes))
    return f"<h2>{imagined_text.HEADING}</h2>\n{notes}{plies}"


def _ply(report: PositionReport, one: Ply, number: int, replayed: bool) -> str:
    who = sign(report, one.mover, True)
    made = "the position" if one.mover == NO_PLAYER else f"{who + ' plays ' if who else ''}{cut(one.name, NAME)}"
    none = f'<p class="bad">{ILLEGAL[True]} no real position: the rules don\'t allow it</p>'
    return (f'<div class="ply"><p><b>ply {number}</b> {escaped(made)}</p>'
            f'{none if one.real is None and replayed else ""}<div class="beside">{"".join(_boards(one))}'
            f'<div class="wide"><table>{_rows(one)}</table></div></div></div>')


def _boards(one: Ply) -> Iterator[str]:
    decoded = one.imagined.decoded
    if one.real is not None:
        yield _captioned("real", _position(one.real.position))
    if decoded is not None and decoded.board is not None:
        wrong = f", {len(decoded.wrong)} wrong" if decoded.wrong else ""
        yield _captioned(f"imagined{wrong}", board_svg.picture(decoded.board, wrong=decoded.wrong))


def _captioned(caption: str, content: str) -> str:
    inner = content.removeprefix("<figure>").removesuffix("</figure>")
    return f"<figure>{inner}<figcaption>{caption}</figcaption></figure>"


def _rows(one: Ply) -> str:
    """The figures of both, a line each."""
    real, imagined = one.real, one.imagined
    rows: list[tuple[str, str, str]] = [
        ("value", "" if real is None or real.value is None else f"{real.value:+z.3f}", f"{imagined.value:+z.3f}"),
        ("policy", "" if real is None else _policy(real.best), _policy(imagined.best)),
        ("on legal moves", "", percent(imagined.legal)),
        ("P(end)", "" if real is None else "over" if real.over else "goes on", percent(imagined.end)),
        ("reward", "" if real is None else _number(real.reward), _number(imagined.reward)),
        ("observation as the real one", "", _agreement(imagined)),
    ]
    shown = [row for row in rows if any(row[1:])]
    return "<tr><th></th><th>real</th><th>imagined</th></tr>" + "".join(
        f"<tr><td>{name}</td><td>{left}</td><td>{right}</td></tr>" for name, left, right in shown)


def _agreement(imagined: Imagined) -> str:
    return "" if imagined.decoded is None else percent(imagined.decoded.agreement)


def _policy(best: Sequence[Share]) -> str:
    return "<br/>".join(
        f"{escaped(cut(one.name, 16))}{ILLEGAL[True] if one.legal is False else ''} {one.probability:.0%}"
        for one in best)


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:+z.3f}"
