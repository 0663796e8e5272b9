"""The table of parameters and what was generated from it agree."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "settlement" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = generator()


@pytest.mark.parametrize("path", GENERATOR.targets(), ids=lambda path: path.suffix)
def test_generated_files_are_those_of_the_table(path: Path) -> None:
    assert path.read_text() == GENERATOR.targets()[path], "run python settlement/generate.py"


def test_a_table_that_breaks_a_rule_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "settlement" / "parameters.toml").read_text()
    broken = tmp_path / "parameters.toml"
    monkeypatch.setattr(GENERATOR, "TABLE", broken)
    for before, after in (("value = 604800, unit", "value = 500000, unit"), ("WRONG_STATE ", "WRONG_STATE_OF_A_JOB_THAT_IS_NOT_THERE ")):
        assert before in text
        broken.write_text(text.replace(before, after, 1))
        with pytest.raises(SystemExit):
            GENERATOR.table()
