"""prove_many: the same proofs from every engine, in order, reading no further than needed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from strategies import tiny, tiny_input, two_ports

import ciro_zk
from ciro_zk.errors import CiroError, InputError, ProofFormatError
from ciro_zk.many import AHEAD, ENGINES
from ciro_zk.progress import Step
from ciro_zk.workers.engine import KeySource
from ciro_zk.workers.job import Job, as_sample, pack_error, unpack_answer
from ciro_zk.workers.serial import Serial

ENGINE_NAMES = ("serial", "processes")


@cache
def keys() -> tuple[ciro_zk.ProvingKey, ciro_zk.VerifyingKey]:
    return ciro_zk.setup(tiny())


def sample(seed: int) -> np.ndarray:
    return tiny_input(seed) * 0.5


def expected(*seeds: int) -> bytes:
    pk, _ = keys()
    return bytes(ciro_zk.prove(pk, [ciro_zk.infer(pk, sample(seed)) for seed in seeds]))


def no_children() -> bool:
    return not multiprocessing.active_children()


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_in_order_with_the_same_bytes(engine: str) -> None:
    steps: list[Step] = []
    inputs = [sample(i) for i in range(7)]
    proofs = list(ciro_zk.prove_many(keys()[0], inputs, engine=engine, workers=2, progress=steps.append))
    assert [bytes(proof) for proof in proofs] == [expected(i) for i in range(7)]
    assert steps == [Step("prove", done, 7) for done in range(8)]
    assert no_children()


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_batches_and_a_key_file(engine: str, tmp_path: Path) -> None:
    pk, vk = keys()
    pk.save(tmp_path / "pk.bin")
    steps: list[Step] = []
    inputs = [{"x": sample(i)} for i in range(5)]
    proofs = list(ciro_zk.prove_many(tmp_path / "pk.bin", inputs, engine=engine, batch=2, workers=1, threads=2, progress=steps.append))
    assert [bytes(proof) for proof in proofs] == [expected(0, 1), expected(2, 3), expected(4)]
    assert [proof.batch for proof in proofs] == [2, 2, 1]
    assert steps[-1] == Step("prove", 3, 3)
    verified = ciro_zk.verify(vk, proofs[1], inputs=np.stack([sample(2), sample(3)]), allow_testing=True)
    assert verified.inference(1).integer_inputs["x"].tolist() == tiny_input(3).tolist()


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_inputs_are_read_as_needed(engine: str) -> None:
    read = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal read
        while True:
            read += 1
            yield sample(read - 1)

    with closing(ciro_zk.prove_many(keys()[0], endless(), engine=engine, workers=2, batch=3)) as proofs:
        assert read == 0
        for i in range(3):
            assert bytes(next(proofs)) == expected(3 * i, 3 * i + 1, 3 * i + 2)
            assert read <= 3 * (i + 1 + AHEAD * 2)
    assert no_children()


def test_nothing_to_prove() -> None:
    assert list(ciro_zk.prove_many(keys()[0], [])) == []


def test_an_array_is_its_samples() -> None:
    proofs = ciro_zk.prove_many(keys()[0], np.stack([sample(0), sample(1)]), engine="serial")
    assert [bytes(proof) for proof in proofs] == [expected(0), expected(1)]


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_wrong_input_is_named_in_its_turn(engine: str, batch: int) -> None:
    inputs = [sample(i) for i in range(12)]
    inputs[5] = np.full((1, 1, 4), 77.0)
    proofs = ciro_zk.prove_many(keys()[0], inputs, engine=engine, workers=2, batch=batch)
    for _ in range(5 // batch):
        next(proofs)
    with pytest.raises(InputError, match=r"inputs\[5\]\.x: is outside the declared range") as caught:
        next(proofs)
    assert (caught.value.field, caught.value.index, caught.value.value) == ("inputs[5].x", (0, 0, 0), 77.0)
    assert caught.value.remedy
    assert no_children()


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_no_numbers_at_all(engine: str) -> None:
    proofs = ciro_zk.prove_many(keys()[0], [sample(0), np.array(["a"])], engine=engine, workers=1)
    assert bytes(next(proofs)) == expected(0)
    with pytest.raises(InputError, match=r"inputs\[1\]: has type"):
        next(proofs)
    assert no_children()


def test_the_callers_own_error_comes_in_its_turn() -> None:
    def broken() -> Iterator[np.ndarray]:
        yield sample(0)
        raise KeyError("mine")

    proofs = ciro_zk.prove_many(keys()[0], broken(), engine="serial")
    assert bytes(next(proofs)) == expected(0)
    with pytest.raises(KeyError, match="mine"):
        next(proofs)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_a_key_that_cannot_be_read(engine: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.bin"):
        next(ciro_zk.prove_many(tmp_path / "missing.bin", [sample(0)], engine=engine, workers=1))
    (tmp_path / "pk.bin").write_bytes(bytes(keys()[1]))
    with pytest.raises(ProofFormatError, match="not a proving key"):
        next(ciro_zk.prove_many(tmp_path / "pk.bin", [sample(0)], engine=engine, workers=1))
    assert no_children()


def test_options_are_checked_at_once() -> None:
    pk = keys()[0]
    with pytest.raises(InputError, match="engine"):
        ciro_zk.prove_many(pk, [], engine="threads")
    for option in ("workers", "batch", "threads"):
        with pytest.raises(InputError, match=option):
            ciro_zk.prove_many(pk, [], **{option: 0})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="inputs"):
        ciro_zk.prove_many(pk, {"x": sample(0)})  # type: ignore[arg-type]
    assert set(ENGINES) == {"processes", "serial", "ray"}
    next(ciro_zk.prove_many(pk, [sample(0)], engine=Serial()))


def test_jobs_travel_whole() -> None:
    samples = [as_sample(0, np.arange(6, dtype=np.float16).reshape(2, 3)), as_sample(1, {"a/ü": [True, False], "b": 3})]
    job = Job.from_bytes(bytes(Job(first=9, samples=samples, device="cpu")))
    assert (job.first, job.device) == (9, "cpu")
    assert isinstance(job.samples[1], dict) and list(job.samples[1]) == ["a/ü", "b"]
    np.testing.assert_array_equal(job.samples[0], np.arange(6.0).reshape(2, 3))  # type: ignore[arg-type]
    assert job.samples[1]["a/ü"].tolist() == [1.0, 0.0]
    assert job.samples[1]["b"].shape == ()


def test_two_inputs_by_name() -> None:
    pk, _ = ciro_zk.setup(two_ports())
    given = {"a": np.ones((2, 3)), "b": np.zeros((2, 3))}
    assert [bytes(p) for p in ciro_zk.prove_many(pk, [given], engine="serial")] == [bytes(ciro_zk.prove(pk, ciro_zk.infer(pk, given)))]


def test_keys_travel_whole() -> None:
    assert KeySource.from_bytes(bytes(KeySource("/a/ü.bin"))) == KeySource("/a/ü.bin")
    again = KeySource.from_bytes(bytes(KeySource(keys()[0]))).load()
    assert bytes(again) == bytes(keys()[0])


@pytest.mark.parametrize(
    "error",
    [
        InputError("m", file="f", field="x", index=(1, 2), value=3.5, remedy="r"),
        InputError("m", index=4, value="text"),
        ProofFormatError("m", file="f", field="x", remedy="r"),
        ciro_zk.ResourceError("m", needed=10**9, available=1, remedy="r"),
        CiroError("m", remedy="r"),
    ],
)
def test_errors_travel_whole(error: CiroError) -> None:
    again = unpack_answer(pack_error(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_defect_keeps_its_traceback() -> None:
    try:
        raise ZeroDivisionError("here")
    except ZeroDivisionError as error:
        again = unpack_answer(pack_error(error))
    assert isinstance(again, RuntimeError)
    assert "test_a_defect_keeps_its_traceback" in str(again)
    memory = unpack_answer(pack_error(MemoryError()))
    assert isinstance(memory, ciro_zk.ResourceError)
