#!/bin/sh
# Builds the extension with AddressSanitizer + UndefinedBehaviorSanitizer, then with ThreadSanitizer, each in a temporary
# directory, and runs on it the search's own tests, a short equality run, and calls that nobody would make
# (fuzz_search.py). Not zero: a test failed or a sanitizer spoke.
#
#   PYTHON=.venv/bin/python sh tests/sanitize.sh [address|thread]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${PYTHON:-python3}")
case $python in /*) ;; *) python=$(pwd)/$python ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

library() { "${CXX:-g++}" -print-file-name="$1"; }

sanitized() { # folder of the build, runtime library of the sanitizer, arguments of Python
    out=$1 runtime=$2
    shift 2
    # Python itself is not built with a sanitizer, so the runtime has to be loaded first, and the C++ library with
    # it, whose exceptions it intercepts; leaks are those of Python.
    # An intercepted allocation that is too large has to return a null pointer, as the real one does.
    (cd "$out" && PYTHONPATH=$out:$root LD_PRELOAD="$(library "$runtime") $(library libstdc++.so.6)" \
        ASAN_OPTIONS=detect_leaks=0,allocator_may_return_null=1 \
        UBSAN_OPTIONS=print_stacktrace=1,halt_on_error=1 \
        TSAN_OPTIONS=halt_on_error=1,exitcode=66,allocator_may_return_null=1 \
        OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 MUZERO_EQUALITY_GROUPS=40 "$python" "$@")
}

check() { # sanitizer, its runtime library, sequences of odd calls of the C++ class
    out=$work/$1
    mkdir -p "$out"
    echo "sanitize: building with $1"
    (cd "$root" && MUZERO_SANITIZE=$1 "$python" -W ignore setup.py -q build_ext \
        --build-temp "$work/temp-$1" --build-lib "$out" >"$work/log" 2>&1) || { cat "$work/log"; exit 1; }
    cp "$root/cpp_mcts/__init__.py" "$out/cpp_mcts/"
    echo "sanitize: running with $1"
    # Only sys is captured: a sanitizer writes to the descriptor and ends the process.
    sanitized "$out" "$2" -m pytest -x --capture=sys -p no:cacheprovider --rootdir "$root" -c "$root/pyproject.toml" \
        "$root/tests/tree/test_search_core.py" "$root/tests/tree/test_search_errors.py" \
        "$root/tests/tree/test_search_refusals.py" "$root/tests/tree/test_search_memory.py" \
        "$root/tests/tree/test_search_threads.py" "$root/tests/tree/test_search_equality.py"
    sanitized "$out" "$2" "$root/tests/fuzz_search.py" core --sequences "$3"
}

# TreeSearch too; not with threads watched, as torch has threads of its own.
check_address() {
    check address libasan.so 20000
    sanitized "$work/address" libasan.so "$root/tests/fuzz_search.py" driver --sequences 20000
}

check_thread() { check thread libtsan.so 1000; }

case ${1:-all} in
    address) check_address ;;
    thread) check_thread ;;
    all)
        check_address
        check_thread
        ;;
    *)
        echo "sanitize: expected address, thread or nothing, got $1" >&2
        exit 2
        ;;
esac
echo "sanitize: no findings"
