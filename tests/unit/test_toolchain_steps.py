"""Progress and failures as people see them."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from toolchain.steps import StepFailed, duration, main_guard, step


def test_a_step_is_silent_while_another_program_shows_its_own_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.steps._PLAIN_INTERVAL", 0.02)
    with step("Deploying") as running:
        running.hand_over()
        time.sleep(0.2)
    assert capsys.readouterr().out.splitlines() == ["Deploying ...", "Deploying ... done in 0.2 s"]


def test_a_step_says_its_title_and_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Making tea"):
        pass
    assert capsys.readouterr().out.splitlines() == ["Making tea ...", "Making tea ... done in 0.0 s"]


def test_a_reused_step_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Making tea") as running:
        running.reused()
    assert capsys.readouterr().out.splitlines()[-1] == "Making tea ... reused (0.0 s)"


def test_a_failing_command_names_step_reason_log_and_remedy(tmp_path: Path) -> None:
    log = tmp_path / "log" / "tea.log"
    with pytest.raises(StepFailed) as caught, step("Making tea") as running:
        running.run(["sh", "-c", "echo no water; exit 3"], log=log, remedy="Fetch water.")
    text = str(caught.value)
    assert text.splitlines() == [
        "Making tea: failed",
        "  sh exited with 3",
        "  | no water",
        f"  Log: {log}",
        "  What to do: Fetch water.",
    ]
    assert "no water" in log.read_text()


def test_a_command_that_is_missing_is_a_failure_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="nonexistent-program cannot be run"), step("Making tea") as running:
        running.run(["nonexistent-program"], log=tmp_path / "log", remedy="Install it.")


def test_a_secret_goes_through_stdin_and_not_into_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with step("Making tea") as running:
        running.run(["sh", "-c", "cat >/dev/null; echo ok"], log=log, remedy="", stdin="s3cret" * 50_000)
    assert "s3cret" not in log.read_text()


def test_a_large_stdin_and_a_large_output_do_not_block_each_other(tmp_path: Path) -> None:
    seen: list[str] = []
    text = "line\n" * 100_000
    with step("Making tea") as running:
        running.run(["cat"], log=tmp_path / "log", remedy="", stdin=text, on_line=seen.append)
    assert len(seen) == 100_000


def test_an_interrupted_step_ends_its_command(tmp_path: Path) -> None:
    marker = tmp_path / "survived"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    # Where the tests run in the background of a script, SIGINT is ignored, and a shell cannot undo that.
    program = "import signal, sys, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print('started', flush=True)"
    command = [sys.executable, "-c", f"{program}; time.sleep(2); open({str(marker)!r}, 'w').close()"]
    with pytest.raises(KeyboardInterrupt), step("Making tea") as running:
        running.run(command, log=tmp_path / "log", remedy="", on_line=interrupt)
    time.sleep(2.5)
    assert not marker.exists()


def test_a_full_disk_is_a_failure_that_names_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StepFailed, match="/cache/x: No space left on device"), step("Making tea"):
        raise OSError(28, "No space left on device", "/cache/x")
    assert "done" not in capsys.readouterr().out


def test_main_prints_a_failure_without_traceback_and_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise StepFailed("Making tea", "no water", Path("/log"), "Fetch water.")

    with pytest.raises(SystemExit) as caught:
        main_guard(main)
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("Making tea: failed\n  no water\n")


def test_ctrl_c_is_one_line_and_exits_130(capsys: pytest.CaptureFixture[str]) -> None:
    # Python leaves SIGINT alone where it was started with it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def main() -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    try:
        with pytest.raises(SystemExit) as caught:
            main_guard(main)
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.code == 130
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(("seconds", "text"), [(0.12, "0.1 s"), (59.0, "59.0 s"), (61.2, "1 min 01 s")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_steps_need_nothing_but_the_standard_library() -> None:
    names = set(sys.stdlib_module_names) | {"toolchain"}
    for file in Path(__file__).parents[2].glob("toolchain/*.py"):
        for line in file.read_text().splitlines():
            words = line.split()
            if words[:1] == ["import"] or (words[:1] == ["from"] and "import" in words):
                assert words[1].split(".")[0] in names, f"{file.name}: {line}"
