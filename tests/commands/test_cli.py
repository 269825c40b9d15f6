"""The command line: help, mistakes, exit codes, what goes where, and one tiny run through every command."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from games.solver import Solver
from muzero import cli, presets
from muzero.commands.arguments import parse
from muzero.commands.doctor import solve_subtraction
from muzero.commands.train_words import for_a_gpu, twice
from muzero.commands.values import parse_schedule, parse_whole, write_schedule
from muzero.config import LearnerConfig, TrainConfig, replace
from muzero.view import waiting
from muzero.view.console import DAMAGED, FAILURE, INTERRUPTED, OK, USAGE, log

ROOT = Path(__file__).parents[2]
SMALL = [
    "--train.actors", "0", "--train.device", "cpu", "--selfplay.games", "16", "--search.simulations", "2",
    "--replay.min-positions", "64", "--learner.batch", "16",
]
Captured = pytest.CaptureFixture[str]


def muzero(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-m", "muzero", *words], capture_output=True, text=True, env=environment, timeout=60,
        check=False, input="",
    )


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of Tic-Tac-Toe after two learning steps."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert cli.main(["train", "tic_tac_toe", "--out", str(out), "--steps", "2", *SMALL]) == OK
    return out


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_schedule_is_read_whatever_the_default(steps: int) -> None:
    default = LearnerConfig(batch=tuple((index / 4, 64.0) for index in range(steps)))
    found = parse(LearnerConfig, ["--batch", "0:8,0.5:16"], "train", [], default)
    assert found.batch == ((0.0, 8.0), (0.5, 16.0))


def test_the_same_command_goes_on_whatever_its_flags_changed(tmp_path: Path) -> None:
    flags = ["--learner.no-symmetries", "--model.consistency", "--learner.consistency-weight", "1"]
    command = ["train", "tic_tac_toe", "--out", str(tmp_path / "run"), *flags, *SMALL]
    assert cli.main([*command, "--steps", "1"]) == OK
    assert cli.main([*command, "--steps", "2"]) == OK


@pytest.mark.parametrize(
    "words",
    [["--help"], ["trian"], ["train", "--help"], ["train", "connect_four", "--help"], ["train", "tictactoe"],
     ["train", "tic_tac_toe", "--serch.simulations", "5"], ["train", "tic_tac_toe", "--learner.batch", "0"],
     ["play", "--help"], ["play", "nothing"], ["evaluate", "--help"], ["games", "--help"], ["games"],
     ["doctor", "--help"], ["doctor", "--hlp"]],
)
def test_help_and_mistakes_load_no_torch(words: list[str]) -> None:
    check = (
        "import sys, contextlib, io\n"
        "from muzero.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    main({words!r})\n"
        "print(sorted({'torch', 'rich', 'numba', 'tensorboard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["train", "play", "evaluate", "games", "doctor"])
def test_every_help_ends_with_examples(command: str, capsys: Captured) -> None:
    assert cli.main([command, "--help"]) == OK
    out = capsys.readouterr().out
    examples = out.rpartition("examples:\n")[2].splitlines()
    assert examples
    assert all(line.startswith("  muzero ") for line in examples)
    assert "\x1b" not in out


@pytest.mark.parametrize("command", [["train"], ["play"], ["bench", "selfplay"]])
def test_no_help_tells_of_an_option_that_its_default_is_nothing(command: list[str], capsys: Captured) -> None:
    assert cli.main([*command, "--help"]) == OK
    unwrapped = "".join(capsys.readouterr().out.replace("│", "").replace("|", "").split())
    assert "(default:None)" not in unwrapped
    assert "(default:)" not in unwrapped


def test_help_texts_break_at_the_edge_alone(capsys: Captured) -> None:
    """Where the source wraps a docstring is nothing to a reader."""
    assert cli.main(["train", "tic_tac_toe", "--help"]) == OK
    out = capsys.readouterr().out
    assert "efficientzero, muzero, and small" in out
    assert "--train.steps 0 --train.horizon 0). Schedules" in out


def test_help_of_a_game_shows_that_games_defaults(capsys: Captured) -> None:
    assert cli.main(["train", "connect_four", "--help"]) == OK
    learner = presets.load("connect_four").learner
    unwrapped = "".join(capsys.readouterr().out.replace("│", "").replace("|", "").split())
    assert f"(default:{write_schedule(learner.batch)})" in unwrapped
    assert f"(default:{learner.learning_rate})" in unwrapped


def test_without_a_command_the_overview_is_shown(capsys: Captured) -> None:
    assert cli.main([]) == USAGE
    out = capsys.readouterr().out
    assert all(name in out for name in cli.COMMANDS)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["trian"], USAGE, "did you mean 'train'?"),
        (["train"], USAGE, "expected a game"),
        (["train", "conect_four"], USAGE, "did you mean 'connect_four'?"),
        (["train", "tic_tac_toe", "--serch.simulations", "5"], USAGE, "--search.simulations"),
        (["train", "tic_tac_toe", "--search.algorithm", "gumble"], USAGE, "gumbel"),
        (["train", "tic_tac_toe", "--learner.gamma", "3"], USAGE, "learner.gamma: expected at least 0 and at most 1"),
        (["train", "tic_tac_toe", "--steps", "-1"], USAGE, "train.steps"),
        (["train", "kuhn_poker"], USAGE, "hidden information"),
        (["play", "othelo"], USAGE, "did you mean 'othello'?"),
        (["play", "no/such/run"], USAGE, "no/such/run"),
        (["play", "hex(board_size=3)"], FAILURE, "muzero train 'hex(board_size=3)'"),
        (["play"], USAGE, "agent"),
        (["train", "checkpoints/runs/nothing"], USAGE,
         "expected a game or the folder of a run, got checkpoints/runs/nothing"),
        (["evaluate", "tic_tac_toe", "--against", "mtcs:200"], USAGE, "did you mean 'mcts'?"),
        (["evaluate", "tic_tac_toe", "--against", ""], USAGE, "--against: player: expected random"),
        (["evaluate", "connect_four", "--every-position"], FAILURE, "muzero evaluate match AGENT --against perfect"),
        (["evaluate", "nim", "--player", "random", "--positions", "tests"], USAGE, "a folder, expected a file"),
        (["evaluate", "tic_tac_toe", "--player", "tic_tac_toe@4", "--simulations", "5"], USAGE,
         "leave out --simulations"),
        (["play", "tic_tac_toe", "--seat", "third"], USAGE, "third"),
        (["play", "tic_tac_toe", "--simulations", "-1"], USAGE, "--simulations: expected 0 to"),
        (["play", "tic_tac_toe@1", "--simulations", "2"], USAGE, "tic_tac_toe@1 has its own number of simulations"),
        (["play", "tic_tac_toe@x"], USAGE, "expected AGENT@N"),
        (["evaluate", "tic_tac_toe@1", "--simulations", "2"], USAGE, "tic_tac_toe@1 has its own number of simulations"),
        (["evaluate", "tic_tac_toe", "--player", "randon"], USAGE, "did you mean 'random'?"),
        (["evaluate", "tic_tac_toe", "--player", "random", "--games", "3"], USAGE, "even"),
        (["evaluate", "nim", "--player", "random", "--json", "/no/such/place.json"], USAGE, "can't be"),
        (["evaluate", "nim", "--player", "random", "--positions", "nothing.csv"], USAGE, "nothing.csv is not there"),
        (["games", "--jsno"], USAGE, "--json"),
        (["evaluate", "tic_tac_toe", "--noise", "nan"], USAGE, "--noise: expected 0 to 1,000,000, got nan"),
        (["evaluate", "nim", "--player", "random", "--noise", "0"], USAGE, "leave out --player"),
        (["evaluate", "tic_tac_toe", "--noise", "0", "--tournament", "random"], USAGE,
         "--noise doesn't go with --tournament"),
        (["train", "catch", "--learner.batch", "0:64,0.3"], USAGE, "expected FROM:NUMBER, as in 0:64,0.3:256"),
        (["train", "catch", "--learner.batch", "0:x"], USAGE, "expected a number, got 'x'"),
        (["train", "tic_tac_toe", "--preset", "small"], USAGE, "tic_tac_toe has only the preset usual, got 'small'"),
        (["train", "tic_tac_toe", "connect_four"], USAGE, "expected one game, got two: tic_tac_toe and connect_four"),
        (["evaluate", "tournament", "random", "mcts:100"], USAGE, "muzero evaluate tournament GAME random"),
        (["train", "tic_tac_toe", "--out", "a\0b"], USAGE, "expected words without NUL characters, got 'a\\x00b'"),
        (["train", "catch", "--lr", "0.1"], USAGE, "did you mean --learner.learning-rate?"),
        (["train", "catch", "--learner.lr=0.1"], USAGE, "did you mean --learner.learning-rate?"),
        (["train", "catch", "--train.checkpoint", "9"], USAGE, "did you mean --train.checkpoint-seconds?"),
        (["train", "catch", "--model.consistency", "true"], USAGE, "--model.consistency instead of"),
        (["train", "catch", "--model.prefix", "0", "--model.consistency", "False"], USAGE, "--model.no-consistency"),
    ],
)
def test_mistakes_name_the_mend(words: list[str], code: int, said: str, capsys: Captured) -> None:
    assert cli.main(words) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


BAD_NUMBERS = {
    "train tic_tac_toe --minutes nan": "train.minutes",
    "train tic_tac_toe --train.seed -1": "train.seed",
    "train tic_tac_toe --search.simulations 1e9": "search.simulations",
    "train tic_tac_toe --model.width 1e9": "model.width",
    "train tic_tac_toe --train.threads 1e6": "train.threads",
    "train tic_tac_toe --train.actors 1e6": "train.actors",
    "train tic_tac_toe --selfplay.games 1e9": "selfplay.games",
    "train tic_tac_toe --learner.batch 0:16,nan:32": "learner.batch",
    "train tic_tac_toe --replay.capacity 1e12": "replay.capacity",
    "train tic_tac_toe --train.evaluate-against perfct": "nearest: perfect",
    "train tic_tac_toe --learner.consistency-weight 1": "model.consistency",
    "play tic_tac_toe --simulations 1e9": "--simulations",
    "play tic_tac_toe --seed -1": "--seed",
    "evaluate tic_tac_toe --simulations 1e9": "--simulations",
    "evaluate tic_tac_toe --games 1e9": "--games",
    "evaluate tic_tac_toe --opening-plies -1": "--opening-plies",
    "evaluate tic_tac_toe --seed -1": "--seed",
    "evaluate tic_tac_toe --player random --against mcts:99999999999999999999": "mcts:N",
    "evaluate tic_tac_toe --player mcts:0": "mcts:N",
    "evaluate tic_tac_toe --player random --against perfct": "did you mean 'perfect'?",
    "evaluate tic_tac_toe --every-position --against random": "--against",
    "evaluate tic_tac_toe --every-position --games 5": "--games",
    "evaluate tic_tac_toe --player random --against tic_tac_toe@-1": "AGENT@N",
    "evaluate tic_tac_toe --tournament": "expected at least 2 players, got 0",
    "evaluate tic_tac_toe --tournament random": "expected at least 2 players, got 1",
    "evaluate tic_tac_toe --tournament random mcts:2 random": "named twice",
    "evaluate tic_tac_toe --tournament mcts random mcts:200": "named twice (as mcts)",
    "evaluate tic_tac_toe --tournament mcts:7 random mcts:007": "named twice (as mcts:7)",
    "evaluate tic_tac_toe --tournament random tic_tac_toe@@5": "expected AGENT@N",
    "evaluate tic_tac_toe --tournament random @5": "expected AGENT@N",
    "evaluate tic_tac_toe --tournament tic_tac_toe@25 tic_tac_toe --simulations 25": "named twice (as tic_tac_toe@25)",
    "evaluate tic_tac_toe --tournament random connect_four": "plays connect_four, not tic_tac_toe",
    "evaluate tic_tac_toe --tournament random perfct": "did you mean 'perfect'?",
    "evaluate tic_tac_toe --tournament random tic_tac_toe@two": "AGENT@N",
    "evaluate tic_tac_toe --tournament random mcts:2 --games 3": "even",
    "evaluate tic_tac_toe --tournament random mcts:2 --games 0": "--games",
    "evaluate tic_tac_toe --tournament random mcts:2 --against perfect": "--against doesn't go with --tournament",
    "evaluate tic_tac_toe --tournament random mcts:2 --simulations 1 2": "one number of --simulations",
    "evaluate catch --tournament random mcts:2": "one-player game",
    "evaluate pig --tournament random mcts:2": "chance",
    "evaluate checkpoints/tic_tac_toe --tournament random mcts:2": "expected the game first, then the players",
    "evaluate tic_tac_toe --skip-unreadable": "--tournament",
}


def test_bad_numbers_and_players_are_told_in_one_line_before_torch() -> None:
    check = (
        "import sys, contextlib, io, json\n"
        "from muzero.cli import main\n"
        "answers = []\n"
        f"for words in {list(BAD_NUMBERS)!r}:\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as said:\n"
        "        code = main(words.split())\n"
        "    answers.append([code, said.getvalue()])\n"
        "print(json.dumps([answers, 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    answers, torch_loaded = json.loads(done.stdout)
    assert not torch_loaded
    for (words, named), (code, said) in zip(BAD_NUMBERS.items(), answers, strict=True):
        assert code == USAGE, words
        assert named in said, words
        assert said.startswith("error: "), words
        assert said.count("\n") == 1, words


def test_an_opponent_is_looked_for_before_the_agent_is_loaded(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def loaded(*_: object) -> None:
        raise AssertionError("an agent was loaded")

    monkeypatch.setattr("muzero.commands.evaluate.measuring.load_agent", loaded)
    for against, said in (("randm", "did you mean 'random'?"), ("no/such/run", "no/such/run")):
        assert cli.main(["evaluate", str(run_folder), "--against", against]) == USAGE
        assert said in capsys.readouterr().err
    assert cli.main(["evaluate", "catch", "--player", "random", "--against", str(run_folder)]) == USAGE
    assert "plays tic_tac_toe, not catch" in capsys.readouterr().err


def test_an_opponent_makes_no_sense_in_a_game_of_one(capsys: Captured) -> None:
    for option in (["--against", "random"], ["--opening-plies", "2"]):
        assert cli.main(["evaluate", "catch", "--player", "random", *option]) == USAGE
        assert "one-player game" in capsys.readouterr().err


def test_whole_numbers_may_be_written_with_an_exponent() -> None:
    assert [parse_whole(text) for text in ("7", "-3", "1e3", "2.5e1")] == [7, -3, 1000, 25]
    for text in ("1.5", "nan", "inf", "1e400", "", "x"):
        with pytest.raises(ValueError, match="expected a whole number, got"):
            parse_whole(text)


def test_seeds_reach_to_63_bits_with_every_player() -> None:
    words = ["evaluate", "tic_tac_toe", "--player", "mcts:2", "--against", "mcts:1", "--games", "2"]
    assert cli.main([*words, "--seed", str(2**63 - 1)]) == OK


@pytest.mark.parametrize(
    ("words", "redirections", "code", "said"),
    [
        ("games", ">&-", OK, ""),
        ("games", ">/dev/full", FAILURE, "error: input or output failed: No space left on device\n"),
        ("--help", ">/dev/full", FAILURE, "error: input or output failed: No space left on device\n"),
        ("trian", "<&- >&- 2>&-", USAGE, ""),
        ("trian", "2>/dev/full", USAGE, ""),
        ("games", "<&- 2>&- | head -1", OK, ""),
        ("games --all --json", "| true", OK, ""),
    ],
)
def test_streams_that_are_closed_or_full_are_no_defect(words: str, redirections: str, code: int, said: str) -> None:
    command = f"{sys.executable} -m muzero {words} {redirections}; exit ${{PIPESTATUS[0]}}"
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False, env=buffered
    )
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "runs/x"), "runs/x: Permission denied"),
        (FileNotFoundError(2, "No such file or directory", "a\x1b[2Jb"), r"a\x1b[2Jb: No such file"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (MemoryError(), "not enough memory; lower --simulations"),
        (MemoryError("Unable to allocate 8. TiB"), "Unable to allocate 8. TiB); lower --simulations"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "lower --simulations"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "lower --simulations"),
        (OSError(12, "Cannot allocate memory"), "lower --simulations"),
    ],
)
def test_the_world_outside_fails_in_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def failing(argv: object) -> int:
        raise error

    monkeypatch.setattr("muzero.commands.play.run", failing)
    assert cli.main(["play", "nim"]) == FAILURE
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    monkeypatch.setenv("MUZERO_DEBUG", "1")
    with pytest.raises(type(error)):
        cli.main(["play", "nim"])


def test_a_defect_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muzero.commands.games.list_games", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["games"])


def test_a_pipe_that_breaks_inside_is_no_reader_who_left(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def failing(argv: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("muzero.commands.games.run", failing)
    assert cli.main(["games"]) == FAILURE
    assert "Broken pipe" in capsys.readouterr().err


def test_debug_shows_where_an_error_came_from() -> None:
    assert "Traceback" not in muzero("train", "conect_four").stderr
    assert "Traceback" in muzero("train", "conect_four", MUZERO_DEBUG="1").stderr


def test_a_reader_who_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m muzero train tic_tac_toe --help | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (OK, "")


def test_games_as_table_and_json(capsys: Captured) -> None:
    assert cli.main(["games"]) == OK
    shown = capsys.readouterr().out
    assert "connect_four" in shown
    assert "kuhn_poker" not in shown
    assert cli.main(["games", "--all", "--json"]) == OK
    listed = {game["name"]: game for game in json.loads(capsys.readouterr().out)}
    assert listed["kuhn_poker"]["reason"] == "hidden information"
    assert listed["connect_four"]["num_actions"] == 7


def test_doctor_finds_a_broken_search(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    assert solve_subtraction("puct")[0] == solve_subtraction("gumbel")[0] == 3
    assert cli.main(["doctor"]) == OK
    assert "FAIL" not in capsys.readouterr().out
    monkeypatch.setattr("muzero.commands.doctor.versions", lambda: {"torch": "2.13", "ale-py": "missing"})
    assert cli.main(["doctor"]) == OK
    assert "ale-py" not in capsys.readouterr().out
    monkeypatch.setattr("muzero.commands.doctor.solve_subtraction", lambda algorithm: (1, 0.5))
    assert cli.main(["doctor"]) == FAILURE
    assert "only 3 wins" in capsys.readouterr().out


def test_a_run_goes_on_and_refuses_what_does_not_fit(run_folder: Path, capsys: Captured) -> None:
    out = ["--out", str(run_folder)]
    assert cli.main(["train", "connect_four", *out]) == USAGE
    assert "holds a run of tic_tac_toe" in capsys.readouterr().err
    assert cli.main(["train", "tic_tac_toe", *out, "--model.width", "32"]) == USAGE
    assert "model.width" in capsys.readouterr().err
    assert cli.main(["train", "tic_tac_toe", *out, "--preset", "usual"]) == OK, "the only one"
    capsys.readouterr()
    assert cli.main(["train", str(run_folder), "--steps", "4"]) == OK
    captured = capsys.readouterr()
    assert "changed: train.steps 2 -> 4" in captured.err
    assert "changed: selfplay" not in captured.err
    assert f"trained to step 4; saved in {run_folder}" in captured.out
    assert "\x1b" not in captured.out + captured.err
    assert cli.main(["train", str(run_folder)]) == OK
    further = f"has already reached its limit; go further with: muzero train {run_folder} --steps 8"
    assert further in capsys.readouterr().out


@pytest.mark.parametrize(("limits", "option"), [
    ({"minutes": 7.5, "steps": 0}, "--minutes 15"), ({"positions": 100, "steps": 0}, "--positions 200"),
    ({"steps": 12}, "--steps 24"),
])
def test_the_limit_to_double_is_the_run_s_own(limits: dict[str, Any], option: str) -> None:
    assert twice(TrainConfig(**{"minutes": 0.0, "positions": 0, **limits}), 12) == option


def test_fresh_sets_the_old_run_aside(tmp_path: Path, capsys: Captured) -> None:
    words = ["train", "tic_tac_toe", "--out", str(tmp_path / "run"), "--steps", "1", "--fresh", *SMALL]
    assert cli.main(words) == cli.main(words) == OK
    assert (tmp_path / "run").is_dir()
    assert (tmp_path / "run.old1").is_dir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    assert cli.main(["train", "tic_tac_toe", "--out", str(tmp_path / "mine"), "--fresh"]) == USAGE
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_training_for_a_gpu_is_told_where_there_is_none() -> None:
    big = presets.load("atari/pong")
    assert for_a_gpu(replace(big, {"train.device": "cpu"})) == (
        "learning from 25,600,000 picture samples takes many hours without a GPU; "
        "--preset small learns within an hour")
    for config in (presets.load("atari/pong", "small"), presets.load("gym/CartPole-v1"), presets.load("connect_four"),
                   replace(big, {"train.positions": 10_000})):
        assert not for_a_gpu(replace(config, {"train.device": "cpu"})), config.game


@pytest.mark.parametrize(("settings", "words"), [
    (["--replay.capacity", "3", "--replay.min-positions", "1"], "holds no observation of 4 frames"),
    (["--replay.capacity", "200_000", "--replay.memory-limit-mb", "1_000"], "needs 1419 MB")])
def test_a_replay_that_cannot_be_leaves_no_run(
    tmp_path: Path, capsys: Captured, settings: list[str], words: str
) -> None:
    out = tmp_path / "run"
    assert cli.main(["train", "atari/pong", "--preset", "small", "--out", str(out), *settings]) == USAGE
    said = capsys.readouterr().err
    assert words in said
    assert "training for" not in said
    assert not out.exists()


def test_interrupted_training_is_saved(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["train", "tic_tac_toe", "--out", str(out), "--train.log-seconds", "0.1", *SMALL]
    with subprocess.Popen(
        [sys.executable, "-m", "muzero", *words], stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "playing the first games" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) == INTERRUPTED
    assert f"continue with: muzero train {out}" in rest
    assert "Traceback" not in rest


def test_a_damaged_run_has_its_own_exit_code(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    assert cli.main(["train", "tic_tac_toe", "--out", str(out), "--steps", "1", *SMALL]) == OK
    weights = next(out.glob("checkpoints/*/weights.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-8])
    capsys.readouterr()
    assert cli.main(["play", str(out)]) == DAMAGED
    assert "weights.safetensors" in capsys.readouterr().err


def test_a_piped_game_is_plain(run_folder: Path) -> None:
    done = muzero("play", str(run_folder), "--simulations", "2", NO_COLOR="1")
    assert done.returncode == OK
    assert done.stdout.endswith("bye\n")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def piped(content: bytes) -> io.TextIOWrapper:
    """A stream of input that no person types."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")


def test_piped_lines_are_shown_without_control_codes(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("sys.stdin", piped(b"a\x1b[2J\x07\xffb\r\nquit\n"))
    assert cli.main(["play", str(run_folder), "--simulations", "2"]) == OK
    out = capsys.readouterr().out
    assert r"your move> a\x1b[2J\x07\xffb" + "\n" in out
    assert out.endswith("your move> quit\nbye\n")
    assert not {"\x1b", "\x07", "\r"} & set(out)


def test_a_line_without_end_is_refused(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("sys.stdin", piped(bytes(100_000)))
    assert cli.main(["play", str(run_folder), "--simulations", "2"]) == USAGE
    assert "a line of more than 1,000 characters" in capsys.readouterr().err


def test_a_match_is_told_in_a_table_and_in_json(run_folder: Path, tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "result.json"
    words = ["evaluate", str(run_folder), "--games", "10", "--simulations", "4", "--seed", "3",
             "--json", str(target)]
    assert cli.main(words) == OK
    out = capsys.readouterr().out
    assert all(name in out for name in ("moving first", "moving second", "both", "95 % interval"))
    content = json.loads(target.read_text())
    assert content["command"] == ["muzero", *words]
    assert content["seed"] == 3
    assert content["scores"]["both"]["wins"] + content["scores"]["both"]["losses"] <= 10
    assert content["match"]["moving_first"].keys() == {"wins", "draws", "losses"}
    assert content["checkpoint"]["step"] >= 2
    assert {"versions", "hardware", "protocol", "commit"} <= content.keys()
    assert content["hardware"]["cores"] >= 1


def test_two_agents_open_at_random(run_folder: Path, capsys: Captured) -> None:
    words = ["evaluate", str(run_folder), "--against", str(run_folder), "--games", "8", "--simulations", "2"]
    assert cli.main(words) == OK
    assert "2 random opening moves" in capsys.readouterr().out


def test_every_position_and_known_positions(run_folder: Path, tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "result.json"
    assert cli.main(["evaluate", str(run_folder), "--every-position", "--simulations", "0", "2",
                     "--json", str(target)]) == OK
    found = json.loads(target.read_text())["every_position"]
    assert [row["positions"] for row in found] == [4520, 4520]
    assert all(0 < row["lose_value"] < 4520 for row in found)
    for row in found:
        whole, *bands = row["qualities"]
        assert whole["keep"] == pytest.approx(100 * (1 - row["lose_value"] / 4520))
        assert [band["label"] for band in bands] == ["0-2", "3-5", "6-8"]
    assert "critical keep %" in capsys.readouterr().out
    capsys.readouterr()
    positions = tmp_path / "positions.csv"
    positions.write_text("moves,values\n04,.;0;0;0;.;0;0;0;0\n0413,.;.;1;.;.;0;0;0;0\n")
    assert cli.main(["evaluate", str(run_folder), "--positions", str(positions), "--json", str(target)]) == OK
    assert "critical keep %" in capsys.readouterr().out
    tables = json.loads(target.read_text())["positions"]
    assert len(tables) == 2
    assert all(rows[0]["positions"] == 2 for rows in tables.values())


def test_a_match_against_perfect_play_tells_the_value_lost(tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "result.json"
    words = ["evaluate", "hex(board_size=3)", "--against", "perfect", "--games", "40", "--json", str(target)]
    assert cli.main([*words, "--player", "perfect"]) == OK
    told = capsys.readouterr().out
    assert "value lost in 0 of 20 games moving first (the start is worth a win)" in told
    assert "0 of 20 games moving second (the start is worth a loss)" in told
    assert cli.main([*words, "--player", "random"]) == OK
    told = capsys.readouterr().out
    assert "\nvalue lost in 0 of" not in told
    assert "\nwhere, moving first: move 1 in " in told
    found = json.loads(target.read_text())
    lost = found["value_lost"]
    assert lost["moving_second"] == {"value": -1.0, "games": 20, "got_less": 0, "first_lapses": []}
    less = lost["moving_first"]["got_less"]
    assert less == found["scores"]["moving_first"]["losses"] > 0
    lapses = lost["moving_first"]["first_lapses"]
    assert sum(lapse["games"] for lapse in lapses) == less, "who plays perfectly gives nothing back"
    solver = Solver("hex(board_size=3)")
    for lapse in lapses:
        values = solver.move_values(solver.state_after(lapse["history"]))
        assert (max(values.values()), values[lapse["action"]]) == (lapse["value"], lapse["got"]) == (1.0, -1.0)
        assert len(lapse["history"]) % 2 == 0
    assert cli.main([*words, "--player", "random", "--opening-plies", "1"]) == OK
    assert "value_lost" not in json.loads(target.read_text())


def test_long_work_tells_of_itself_now_and_then(capsys: Captured) -> None:
    now = [0.0]
    tick = waiting.Ticker("solving:", log, lambda: now[0])
    for now[0], done in ((1.0, 10), (11.0, 20), (20.0, 30), (22.0, 40_000)):
        tick(done)
    tick(1)
    assert capsys.readouterr().err == "solving: 20 positions\nsolving: 40,000 positions\n"


def test_a_long_match_tells_of_itself(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(waiting, "PROGRESS_SECONDS", 0.0)
    assert cli.main(["evaluate", "tic_tac_toe", "--player", "random", "--games", "2"]) == OK
    said = capsys.readouterr().err.splitlines()
    assert said[1] == "playing: 0 of 2 games are over, 0 moves of random made"
    assert said[-1].startswith(("playing: 0 of 2 games are over", "playing: 1 of 2 games are over"))
    assert len(said) > 4


def test_one_player_games_are_measured_by_their_return(capsys: Captured) -> None:
    assert cli.main(["evaluate", "catch", "--player", "random", "--games", "11"]) == OK
    assert "mean return" in capsys.readouterr().out


def test_schedules_are_written_as_read() -> None:
    for text in ("32", "0:8,0.2:16,0.6:32"):
        assert write_schedule(parse_schedule(text)) == text
    assert parse_schedule("0:8,0.5:1") == ((0.0, 8.0), (0.5, 1.0))
