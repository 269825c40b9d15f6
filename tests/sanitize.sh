#!/bin/sh
# Builds the extension with AddressSanitizer + UndefinedBehaviorSanitizer, then with ThreadSanitizer, each in a temporary
# directory, and runs the search's own tests and a short equality run on it. Not zero: a test failed or a sanitizer spoke.
#
#   PYTHON=.venv/bin/python sh tests/sanitize.sh [address|thread]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${PYTHON:-python3}")
case $python in /*) ;; *) python=$(pwd)/$python ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

library() { "${CXX:-g++}" -print-file-name="$1"; }

check() { # sanitizer, its runtime library, the groups of the equality run
    out=$work/$1
    mkdir -p "$out"
    echo "sanitize: building with $1"
    (cd "$root" && MUZERO_SANITIZE=$1 "$python" -W ignore setup.py -q build_ext \
        --build-temp "$work/temp-$1" --build-lib "$out" >"$work/log" 2>&1) || { cat "$work/log"; exit 1; }
    cp "$root/cpp_mcts/__init__.py" "$out/cpp_mcts/"
    echo "sanitize: running with $1"
    # Python itself is not built with a sanitizer, so the runtime has to be loaded first, and the C++ library with
    # it, whose exceptions it intercepts; leaks are those of Python.
    # Only sys is captured: a sanitizer writes to the descriptor and ends the process.
    # An intercepted allocation that is too large has to return a null pointer, as the real one does.
    (cd "$out" && PYTHONPATH=$out LD_PRELOAD="$(library "$2") $(library libstdc++.so.6)" \
        ASAN_OPTIONS=detect_leaks=0,allocator_may_return_null=1 \
        UBSAN_OPTIONS=print_stacktrace=1,halt_on_error=1 \
        TSAN_OPTIONS=halt_on_error=1,exitcode=66,allocator_may_return_null=1 \
        OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 MUZERO_EQUALITY_GROUPS=$3 \
        "$python" -m pytest -x --capture=sys -p no:cacheprovider --rootdir "$root" -c "$root/pyproject.toml" \
        "$root/tests/test_search_core.py" "$root/tests/test_search_errors.py" "$root/tests/test_search_memory.py" \
        "$root/tests/test_search_threads.py" "$root/tests/test_search_equality.py")
}

case ${1:-all} in
    address) check address libasan.so 40 ;;
    thread) check thread libtsan.so 40 ;;
    all)
        check address libasan.so 40
        check thread libtsan.so 40
        ;;
    *)
        echo "sanitize: wanted address, thread or nothing, got $1" >&2
        exit 2
        ;;
esac
echo "sanitize: no findings"
