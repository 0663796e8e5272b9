"""The corpus of the fuzzer replayed, and its mutations for as long as is quick: nothing but the library's own errors escapes a parser."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ciro_zk.container import outline
from fuzz import mutate
from fuzz.targets import CORPUS, TARGETS, check, seeds

FILES = sorted(path.relative_to(CORPUS) for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target: str) -> None:
    files = sorted((CORPUS / target).iterdir())
    assert files
    for path in files:
        found = check(target, path.read_bytes())
        if path.name.startswith("seed-"):
            assert found == "accepted", path.name


def test_seeds_are_those_of_the_library() -> None:
    """A seed that the library no longer writes finds nothing: `python fuzz/fuzz_parsers.py --seed`."""
    for target, files in seeds().items():
        for name, data in files:
            if name != "npz":  # holds the time it was made at
                assert (CORPUS / target / f"seed-{name}").read_bytes() == data, (target, name)


@pytest.mark.parametrize("target", TARGETS)
def test_mutations(target: str) -> None:
    files = [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
    rng = random.Random(target)
    for number in range(60):
        data = rng.choice(files)
        for _ in range(rng.choice((1, 1, 2, 3))):
            data = mutate.mutate(data, 1 << 14, rng.randrange(1 << 30), lambda part, size: mutate.flip(part, max(size, 1), rng))
        assert check(target, data) in ("accepted", "ProofFormatError", "ProofRejected", "InputError"), number


def test_mutations_keep_the_checksum() -> None:
    data = (CORPUS / "proof" / "seed-single").read_bytes()
    whole = 0
    for seed in range(100):
        try:
            outline(mutate.mutate(data, 1 << 14, seed, mutate.flip))
        except Exception:
            continue
        whole += 1
    assert whole > 60


def test_corpus_is_small() -> None:
    assert sum((CORPUS / path).stat().st_size for path in FILES) < 2 << 20
    assert Path("fuzz/corpus/proof/seed-single") in [Path("fuzz/corpus") / path for path in FILES]
