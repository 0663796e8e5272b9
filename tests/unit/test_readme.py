"""What README, docs and examples say is true: their code runs, their commands work, their tables and links are current."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ciro_zk
from ciro_zk.cli.main import app
from ciro_zk.cli.session import ExitCode
from ciro_zk.errors import CiroError
from ciro_zk.hash.transcript import PERSON, Transcript, VerifierTranscript
from ciro_zk.params import PRESETS
from ciro_zk.program.statement import PROTOCOL
from ciro_zk.verifier import check_registration

ROOT = Path(__file__).resolve().parents[2]
README, PROTOCOL_PAGE = ROOT / "README.md", ROOT / "docs" / "protocol.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "circuits").glob("*.md"))]


def block(page: Path, marker: str) -> str:
    """The code block between the markers of a page."""
    found = re.search(rf"<!-- {marker} -->\s*```\w+\n(.*?)```\s*<!-- /{marker} -->", page.read_text(), re.DOTALL)
    assert found, f"{page.name} has no block {marker!r}"
    return found[1]


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_readme_quickstart(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block(README, "quickstart"), "README.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines() == ["class 0", "rejected at statement"]


def test_quickstart_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = python_blocks(ROOT / "docs" / "quickstart.md")
    exec(compile(code, "quickstart.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines()[-1] == "0"


def test_readme_commands(tmp_path: Path) -> None:
    """The commands in order, in a folder that sees the models; the last but one verifies."""
    (tmp_path / "models").symlink_to(ROOT / "models")
    lines = [shlex.split(line) for line in block(README, "commands").splitlines()]
    assert [line[:2] for line in lines] == [["ciro-zk", name] for name in ("compile", "setup", "prove", "verify", "inspect")]
    for _, *arguments in lines:
        done = subprocess.run(
            [sys.executable, "-m", "ciro_zk", *arguments, "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        fields = json.loads(done.stdout.splitlines()[-1])
        if arguments[0] == "verify":
            assert fields["verified"] is True


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for page in PAGES:
        named = {line.split()[1] for line in re.findall(r"^make [a-z-]+", page.read_text(), re.MULTILINE)}
        named |= set(re.findall(r"`make ([a-z-]+)`", page.read_text()))
        assert named <= targets, page.name


def test_folders_of_the_readme_exist() -> None:
    for folder in re.findall(r"^\| `([a-z_]+)/` \|", README.read_text(), re.MULTILINE):
        assert (ROOT / folder).is_dir()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"\$\$.*?\$\$|```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-") for h in headings}, target


def test_operators_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate_operators.py"), "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr or "run: python docs/generate_operators.py"


def test_command_line_page_names_every_command_and_code() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    for command in app.registered_commands:
        assert f"`{command.name}" in page
    for code in ExitCode:
        assert f"| {int(code)} |" in page


def test_errors_page_names_every_error() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    pending: list[type[Exception]] = [CiroError]
    while pending:
        error = pending.pop()
        assert error.__name__ in page
        pending += error.__subclasses__()


def test_errors_page_names_every_stage() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    library = "\n".join(path.read_text() for path in (ROOT / "ciro_zk").rglob("*.py") if "cli" not in path.parts)
    stages = set(re.findall(r'(?:stage=|STAGE = |check_final\()"(\w+)"', library))
    assert len(stages) >= 7
    for stage in stages:
        assert f"| `{stage}` |" in page, stage


def test_protocol_page_has_the_codes_constants() -> None:
    page = PROTOCOL_PAGE.read_text()
    assert f"`{PROTOCOL}`" in page
    assert f"`{PERSON.decode()}`" in page
    for preset in PRESETS.values():
        work = f"{preset.query_grinding_bits} bits" if preset.query_grinding_bits else "–"
        assert f"| `{preset.name}` | {preset.target_bits} | {work} |" in page


MESSAGES = """
    (witness root)((weights sample point)(witness sample point)(witness sample))?(lookup grinding)?(lookup challenges)(root denominator)
    ((layer batch)((layer round)(layer challenge))*(layer values)(layer half))+
    (accumulator values)(zero check point)(product batch)((product round)(product challenge))*(factor values)+(output point)+
    (opening batch)
    (((opening round)(fold grinding)?(opening challenge))*
        ((folded root)((sample point)(sample)(sample batch))?|(clear message))(query grinding)?
        ((positions)(columns)(siblings)(query batch))+)+
    ((opening round)(opening challenge))*
"""
"""The order of messages and draws, as the table of docs/protocol.md has it."""


def test_protocol_page_lists_the_messages_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real proof's messages and draws come in the stated order, and the table has each of them and no other."""
    labels: list[str] = []

    def spy(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def wrapped(self: object, label: str, *rest: object) -> object:
            labels.append(label)
            return original(self, label, *rest)

        monkeypatch.setattr(owner, name, wrapped)

    spy(VerifierTranscript, "receive_bytes")
    spy(Transcript, "_words")
    seen: set[str] = set()
    for preset in ("standard", "johnson"):
        folder = ROOT / "circuits" / "lenet5"
        circuit = ciro_zk.compile(ROOT / "models" / "lenet5" / "lenet5.onnx", folder / "calibration.json", preset=preset)
        pk, vk = ciro_zk.setup(circuit)
        proof = ciro_zk.prove(pk, ciro_zk.infer(pk, np.zeros((1, 1, 28, 28))))
        check_registration(vk)
        labels.clear()
        ciro_zk.verify(vk, proof)
        pattern = re.sub(r"\(([a-z ]+)\)", r"(?:\1;)", re.sub(r"\n\s*", "", MESSAGES))
        assert re.fullmatch(pattern, "".join(f"{label};" for label in labels))
        seen |= set(labels)
    table = PROTOCOL_PAGE.read_text().partition("## The transcript, message by message")[2].partition("\n## ")[0]
    listed = {label for row in table.splitlines() if row.startswith("| ") for label in re.findall(r"`([a-z ]+)`", row)}
    assert listed - {"domain", "lookup grinding"} == seen


def test_worked_example(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "tiny_circuit.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "2 lookups, 2^9 leaves; y = [2]" in out
    for leaves in (
        "table  1  leaves 0 to 255",
        "table  0  leaves 256 to 271",
        "lookup 0  leaves 272 to 272",
        "lookup 1  leaves 273 to 273",
    ):
        assert leaves in out


def test_notebooks_have_no_outputs() -> None:
    for path in (ROOT / "examples").glob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            assert cell["cell_type"] != "code" or not (cell["outputs"] or cell["execution_count"]), path.name
