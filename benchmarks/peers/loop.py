"""The C++ loop `tree_loop.cpp`: compiled as setup.py compiles the module, told the same settings and stub."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from distutils.ccompiler import new_compiler
from distutils.core import run_setup
from distutils.errors import CCompilerError, DistutilsError
from distutils.sysconfig import customize_compiler
from pathlib import Path
from typing import Any

from muzero.bench.stub import ANSWERS
from peers.contestant import Refused, Shape
from peers.own import RULES, make_stub

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "benchmarks" / "tree_loop.cpp"
BINDINGS = "bindings.cpp"  # the only source that knows Python
PROGRAM = "tree_loop"


def compile_loop(folder: Path, flags: Sequence[str] = ()) -> Path:
    """The program, built in `folder` from the core's sources without the binding; raises Refused.

    setup.py is asked for the extension it would build, so that there is one list of flags; `flags` come after those.
    """
    before = Path.cwd()
    logging.disable(logging.INFO)  # the compiler's own complaints are no log entries
    os.chdir(ROOT)  # setup.py names its sources from there
    try:
        build(run_setup("setup.py", script_args=[], stop_after="init").ext_modules[0], folder, flags)
    except (CCompilerError, DistutilsError, ImportError) as error:
        raise Refused(f"can't compile {SOURCE.name}: {error}") from error
    finally:
        os.chdir(before)
        logging.disable(logging.NOTSET)
    return folder / PROGRAM


def build(extension: Any, folder: Path, flags: Sequence[str]) -> None:
    compiler = new_compiler()
    customize_compiler(compiler)
    sources = [path for path in extension.sources if not path.endswith(BINDINGS)]
    objects = compiler.compile(
        [*sources, str(SOURCE.relative_to(ROOT))],
        output_dir=str(folder),
        include_dirs=["cpp_mcts/src"],
        extra_postargs=[*extension.extra_compile_args, *flags],
    )
    compiler.link_executable(
        objects, PROGRAM, output_dir=str(folder), extra_postargs=extension.extra_link_args, target_lang="c++"
    )


def command(program: Path, rule: str, shape: Shape) -> list[str]:
    """How to start the loop; writes the stub beside the program."""
    stub = make_stub(shape)
    file = program.parent / f"stub_{shape}"
    file.write_bytes(b"".join(x.tobytes() for x in (stub.reward, stub.discount, stub.logits, stub.value)))
    sizes = [str(n) for n in (shape.trees, shape.simulations, shape.actions, ANSWERS)]
    settings = [f"{name}={setting}" for name, setting in RULES[rule].tree_settings.items()]
    return [str(program), *sizes, str(file), *settings]
