"""Builds the one native module, `cpp_mcts._core`; everything else about the package is in pyproject.toml.

MUZERO_NATIVE=1           also use this machine's own instructions (the module then runs on no older one)
MUZERO_SANITIZE=address   build with AddressSanitizer and UndefinedBehaviorSanitizer
MUZERO_SANITIZE=thread    build with ThreadSanitizer
"""

import os
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

SOURCE = Path("cpp_mcts/src")
# No -ffast-math and no contraction into fused operations: every machine has to compute the same numbers.
# -Wno-psabi: vectors wider than the baseline's registers never cross a call that is not inlined.
FLAGS = ["-O3", "-Wall", "-Wextra", "-ffp-contract=off", "-Wno-psabi"]
# With a sanitizer also the asserts, which see an overrun within the one large reservation of the trees. A double that
# its integer or float can't hold is undefined too, but not among what `undefined` looks for; neither is 1 / 0.
CHECKS = ["-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-UNDEBUG", "-D_GLIBCXX_ASSERTIONS"]
SANITIZERS = {
    "": [], "thread": ["-fsanitize=thread"],
    "address": ["-fsanitize=address,undefined,float-cast-overflow,float-divide-by-zero"],
}


def flags() -> tuple[list[str], list[str]]:
    """Compiler flags and linker flags, as the environment asks for them."""
    sanitizer = os.environ.get("MUZERO_SANITIZE", "")
    if sanitizer not in SANITIZERS:
        raise SystemExit(f"MUZERO_SANITIZE: expected address or thread, got {sanitizer!r}")
    native = ["-march=native"] if os.environ.get("MUZERO_NATIVE") == "1" else []
    checks = [*SANITIZERS[sanitizer], *CHECKS] if sanitizer else []
    return FLAGS + native + checks, SANITIZERS[sanitizer] + ["-pthread"]


COMPILE, LINK = flags()
ParallelCompile("MUZERO_BUILD_JOBS").install()
setup(
    ext_modules=[
        Pybind11Extension(
            "cpp_mcts._core",
            sorted(str(path) for path in SOURCE.rglob("*.cpp")),
            # A changed header must rebuild the module, else an old binary goes on being tested.
            depends=sorted(str(path) for path in SOURCE.rglob("*.h")),
            include_dirs=[str(SOURCE)],
            cxx_std=20,
            extra_compile_args=COMPILE,
            extra_link_args=LINK,
        )
    ],
)
