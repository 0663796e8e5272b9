"""The folder of compiled kernels: a change anywhere in the kernels' sources is seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ciro_zk
from ciro_zk import kernel_cache

SCRIPT = """
import sys, numpy as np
from ciro_zk import kernel_cache
kernel_cache.install()
from ciro_zk.poly import kernels as poly
dispatcher = poly.inner_product_base
from ciro_zk.field.kernels import REGISTRY
arguments = next(a for d, a in REGISTRY if d is dispatcher)
dispatcher.compile(arguments)
a = np.array([[3], [5]], dtype=np.uint64)
dispatcher.disable_compile()
product = [int(x) for x in dispatcher(a, np.array([10], dtype=np.uint64), 0, 1)]
print(product, sum(dispatcher.stats.cache_hits.values()), kernel_cache.cache_dir().name)
"""


def run(package_parent: Path, cache: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(package_parent), "XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, cwd=cache, capture_output=True, text=True, check=True)
    return result.stdout.strip().rsplit(" ", 2)


def test_an_edited_callee_is_compiled_anew(tmp_path: Path) -> None:
    package = tmp_path / "copy" / "ciro_zk"
    cache = tmp_path / "cache"
    cache.mkdir()
    shutil.copytree(Path(ciro_zk.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    first = run(package.parent, cache)
    assert first[:2] == ["[30, 50]", "0"]
    assert run(package.parent, cache)[:2] == ["[30, 50]", "1"]
    # a function in another file than the kernel that calls it now adds one; the caller's own file is as it was
    source = package / "field" / "kernels.py"
    text = source.read_text()
    line = "    return _add(b, s0, _sub(b, upper, s3))\n"
    assert text.count(line) == 1
    source.write_text(text.replace(line, "    return _add(b, s0, _constant(1, s0))\n"))
    second = run(package.parent, cache)
    assert second[:2] == ["[31, 51]", "0"]
    assert second[2] != first[2]
    assert len(list((cache / "ciro_zk").glob("kernels-*"))) == 2


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kernel_cache.tempfile, "gettempdir", lambda: str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    kernel_cache.cache_dir.cache_clear()
    yield tmp_path
    kernel_cache.cache_dir.cache_clear()


def test_size_and_clear(own_cache: Path) -> None:
    folder = kernel_cache.cache_dir()
    assert folder.parent == own_cache / "cache" / "ciro_zk"
    assert folder.name == f"kernels-{kernel_cache.digest()}"
    (folder / "a").write_bytes(bytes(100))
    (folder.parent / "kernels-older").mkdir()
    (folder.parent / "kernels-older" / "b").write_bytes(bytes(50))
    (folder.parent / "codewords").mkdir()
    (folder.parent / "codewords" / "c").write_bytes(bytes(30))
    (folder.parent / "other").mkdir()
    assert not kernel_cache.is_complete()
    kernel_cache.mark_complete()
    assert kernel_cache.is_complete()
    assert kernel_cache.size() == 180
    assert kernel_cache.clear() == 3
    assert [p.name for p in folder.parent.iterdir()] == ["other"]
    assert kernel_cache.size() == 0


def test_a_cache_that_can_not_be_written_falls_back(own_cache: Path) -> None:
    (own_cache / "cache").write_text("a file where the folder should be")
    folder = kernel_cache.cache_dir()
    assert folder.parent.parent == own_cache / "temp"


def test_a_folder_that_others_can_write_is_not_trusted(own_cache: Path) -> None:
    root = own_cache / "cache" / "ciro_zk"
    root.mkdir(parents=True)
    root.chmod(0o777)
    assert kernel_cache.cache_dir().parent != root


def test_nowhere_to_write_still_works(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cache, "_usable", lambda folder: False)
    folder = kernel_cache.cache_dir()
    assert folder.is_dir()
    shutil.rmtree(folder)
