#!/usr/bin/env python3
"""Fuzz one parser with atheris: `python fuzz/fuzz_parsers.py proof fuzz/corpus/proof -max_total_time=120`.

A finding is written as `crash-...`; anything but ProofFormatError, ProofRejected and InputError is one, and so is a file that is
accepted but written back otherwise. `--seed` writes the honest files to the corpus, `--minimise` keeps of a corpus what reaches
code of its own (libFuzzer's -merge, into the committed folder).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import atheris

with atheris.instrument_imports(include=["ciro_zk"]):
    from fuzz.targets import CORPUS, TARGETS, check, keys, seeds

from fuzz import mutate

MAX_BYTES = 1 << 14
MAX_CORPUS_FILES = 60
TARGET = "CIRO_FUZZ_TARGET"


def write_seeds() -> None:
    """The honest files, into every target's corpus."""
    for target, files in seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files:
            (folder / f"seed-{name}").write_bytes(data)


def minimise(target: str, found: Path) -> None:
    """The committed corpus: the honest files and the least others with the same coverage as `found`."""
    folder = CORPUS / target
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch)
        arguments = [
            sys.executable,
            str(Path(__file__).resolve()),
            target,
            "-merge=1",
            f"-max_len={MAX_BYTES}",
            str(kept),
            str(folder),
            str(found),
        ]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # libFuzzer starts this file again, by its first line
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PATH": path})
        files = sorted(kept.iterdir(), key=lambda path: (path.stat().st_size, path.name))[:MAX_CORPUS_FILES]
        for path in folder.iterdir():
            if not path.name.startswith("seed-"):
                path.unlink()
        for path in files:
            shutil.copy(path, folder / path.name[:16])


def fuzz(target: str, arguments: list[str]) -> None:
    """Run libFuzzer on a target."""

    def one(data: bytes) -> None:
        check(target, data)

    def custom(data: bytes, max_size: int, seed: int) -> bytes:
        return mutate.mutate(data, max_size, seed, lambda part, size: bytes(atheris.Mutate(part, max(size, 1))))

    def cross(first: bytes, second: bytes, max_size: int, seed: int) -> bytes:
        return mutate.mutate(random.Random(seed).choice((first, second)), max_size, seed + 1, lambda part, size: bytes(part[:size]))

    keys()
    atheris.Setup([sys.argv[0], *arguments], one, custom_mutator=custom, custom_crossover=cross)
    atheris.Fuzz()


def main() -> None:
    match sys.argv[1:]:
        case ["--seed"]:
            write_seeds()
        case ["--minimise", target, found] if target in TARGETS:
            minimise(target, Path(found))
        case [first, *_] as arguments if first[0] in "-/" and TARGET in os.environ:  # libFuzzer's -merge starts this script again
            fuzz(os.environ[TARGET], arguments)
        case [target, *arguments] if target in TARGETS:
            os.environ[TARGET] = target
            fuzz(target, [f"-max_len={MAX_BYTES}", "-timeout=20", "-rss_limit_mb=4096", *arguments])
        case _:
            sys.exit(
                f"usage: fuzz_parsers.py --seed | --minimise TARGET FOLDER | TARGET [libFuzzer options]; targets: {', '.join(TARGETS)}"
            )


if __name__ == "__main__":
    main()
