"""The virtual environment of the peers: made once, filled by pip from the package index, deleted by hand."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from peers.contestant import PEERS, Refused

ROOT = Path(__file__).parents[2]

# What each adapter needs; versions that are not here are those of constraints.txt. LightZero without its
# dependencies: a training stack, of which its compiled trees use nothing.
REQUIREMENTS = {
    "peers.own": ["numpy"],
    "peers.lightzero_trees": ["--no-deps", "lightzero==0.2.0"],
    "peers.mctx_policies": ["mctx==0.0.71", "jax==0.10.2", "jaxlib==0.10.2", "chex==0.1.92"],
    "peers.openspiel_mcts": ["open_spiel"],
}


def python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def install(python: Path, requirements: list[str]) -> str:
    """Empty, or what pip had against it."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "-c", str(ROOT / "constraints.txt"), *requirements], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return f"pip: {errors[0] if errors else f'exit code {done.returncode}'}"


def prepare(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Makes the environment and installs the peers of these names; peer -> why it can't take part.

    The interpreter is this one, as the search's own module is built for it. Raises Refused if there can be no
    environment at all.
    """
    if not python_of(folder).exists():
        sys.stderr.write(f"making {folder}\n")
        try:
            venv.create(folder, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Refused(f"--venv: can't make {folder}: {error}") from error
    modules = [PEERS[name].module for name in names]
    why = {}
    for module in ["peers.own", *dict.fromkeys(module for module in modules if module)]:
        sys.stderr.write(f"installing {' '.join(REQUIREMENTS[module])}\n")
        why[module] = install(python_of(folder), REQUIREMENTS[module])
    if why["peers.own"]:
        raise Refused(f"--venv: this project's own search needs numpy there; {why['peers.own']}")
    return {name: why[PEERS[name].module] for name in names if why.get(PEERS[name].module)}
