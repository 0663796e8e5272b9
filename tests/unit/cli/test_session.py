"""Errors to exit codes, and the one JSON object."""

from __future__ import annotations

import errno
import io
import json
import sys

import pytest
import typer

from ciro_zk import errors
from ciro_zk.cli import report
from ciro_zk.cli.progress_view import progress_view
from ciro_zk.cli.session import session
from ciro_zk.progress import Step

NODE = errors.UnsupportedNode("n1", "LSTM", "", 14, "no circuit for it", "unroll it")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ProofRejected("sumcheck", "wrong sum", round=2, expected=1, actual=2), 10),
        (errors.InputError("has a NaN", file="x.npz", field="image", index=(0, 3), value=float("nan"), remedy="remove it"), 2),
        (errors.ModelError("does not parse", file="m.onnx"), 2),
        (errors.ProofFormatError("truncated", file="p", field="end"), 2),
        (errors.CiroError("something"), 2),
        (FileNotFoundError(errno.ENOENT, "no such file"), 2),
        (errors.UnsupportedOperator([NODE]), 3),
        (errors.BoundsError("overflows", node="conv1", bound=1 << 64), 3),
        (errors.ResourceError("too little memory", needed=10**9, available=1), 4),
        (MemoryError("numpy wants 1 PB"), 4),
        (OSError(errno.ENOSPC, "no space left"), 4),
        (KeyboardInterrupt(), 130),
        (ModuleNotFoundError("No module named 'numba'", name="numba"), 2),
    ],
)
def test_exit_codes(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, session(as_json=True) as out:
        out.on_error = {"verified": False}
        raise error
    assert left.value.exit_code == code
    captured = capsys.readouterr()
    fields = json.loads(captured.out)
    assert fields["error"] == type(error).__name__
    assert fields["exit_code"] == code
    assert fields["verified"] is False
    assert "ciro-zk: " in captured.err
    if getattr(error, "remedy", ""):
        assert f"remedy: {fields['remedy']}" in captured.err


def test_all_unsupported_nodes_are_in_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), session(as_json=True):
        raise errors.UnsupportedOperator([NODE, NODE])
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    assert len(nodes) == 2
    assert nodes[0] == {"node": "n1", "op": "LSTM", "domain": "", "opset": 14, "reason": "no circuit for it", "hint": "unroll it"}


def test_defects_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), session(as_json=True):
        raise ZeroDivisionError


def test_text_and_json_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (True, False):
        with session(as_json) as out:
            out.say("text")
            out.note("note")
            out.rows({"a": "1", "long": "2"})
            out.result({"x": 1})
    captured = capsys.readouterr()
    assert captured.out == '{"x": 1}\ntext\n  a     1\n  long  2\n'
    assert captured.err == "note\nnote\n"


def test_plain_json_values() -> None:
    import numpy as np

    value = {"a": np.arange(4, dtype=np.float32).reshape(2, 2), "b": (np.int64(3), np.bool_(True)), "c": float("inf"), "d": None}
    assert report.plain(value) == {"a": [[0.0, 1.0], [2.0, 3.0]], "b": [3, True], "c": None, "d": None}


def test_figures_in_words() -> None:
    assert report.seconds_text(0.0312) == "31 ms"
    assert report.seconds_text(2.4) == "2.40 s"
    assert report.bytes_text(812) == "812 bytes"
    assert report.bytes_text(51_300) == "51.3 kB"
    assert report.bytes_text(2_100_000) == "2.1 MB"


def test_clocks_and_memory() -> None:
    assert 0 < report.process_seconds() < 86_400
    assert 5 < report.peak_rss_mb() < 100_000


def test_progress_is_silent_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_view(as_json=False) as progress:
        progress(Step("prove", 1, 2))
    assert capsys.readouterr() == ("", "")


def test_progress_lines_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_view(as_json=True) as progress:
        for done in range(100):
            progress(Step("commit", done, 100))
        progress(Step("open", 0, 1))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [json.loads(line) for line in captured.err.splitlines()]
    assert lines[0] == {"progress": "commit", "done": 0, "total": 100}
    assert lines[-1]["progress"] == "open"
    assert len(lines) < 10


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_view(as_json=False) as progress:
        progress(Step("commit [x]", 1, 2))
        progress(Step("open"))
    assert "open" in terminal.getvalue()


def test_errors_read_well() -> None:
    assert "round 2" in str(errors.ProofRejected("sumcheck", "wrong sum", 2, expected=1, actual=2))
    assert "expected 1, actual 2" in str(errors.ProofRejected("sumcheck", "wrong sum", 2, expected=1, actual=2))
    text = str(errors.InputError("is out of range", file="x.npz", field="image", index=(0, 1), value=7.5, remedy="give 0 to 1"))
    assert text == "x.npz: image: is out of range at index (0, 1) (value 7.5)\n  remedy: give 0 to 1"
    assert "n1: LSTM, opset 14: no circuit for it (unroll it)" in str(errors.UnsupportedOperator([NODE]))
    assert not issubclass(errors.ProofFormatError, errors.ProofRejected)
