"""Counted kernel calls equal the formulas, exactly."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from strategies import LISTED, deep, tiny, tiny_input, toy, toy_input, two_ports
from typer.testing import CliRunner

import ciro_zk
from ciro_zk.cli.main import app
from ciro_zk.kernels import numba_kernels, plain_kernels
from ciro_zk.params import CONSERVATIVE
from ciro_zk.profile import Work, counts, measure, profile_prove
from ciro_zk.profile.formulas import PHASES
from ciro_zk.profile.measure import TRANSCRIPT, record
from ciro_zk.profile.work import KERNELS, encode_work, random_words
from ciro_zk.program.circuit import Circuit

CASES: dict[str, tuple[Any, Any, int]] = {
    "tiny": (tiny, tiny_input(), 1),
    "toy": (toy, toy_input(), 1),
    "toy, lookup grinding": (lambda: toy(CONSERVATIVE), toy_input(), 1),
    "three levels": (deep, toy_input(), 1),
    "three levels, list decoding": (lambda: deep(LISTED), toy_input(), 1),
    "no weights": (two_ports, {"a": np.ones((2, 3)), "b": np.zeros((2, 3))}, 1),
    "batch of 3": (toy, toy_input(), 3),
    "batch of 8": (tiny, tiny_input(), 8),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibrate with two calls each."""
    monkeypatch.setattr(measure, "CALIBRATION_SECONDS", 0.0)


@pytest.mark.parametrize("name", CASES)
def test_counts_are_the_formulas(name: str) -> None:
    make, inputs, batch = CASES[name]
    circuit: Circuit = make()
    pk, vk = ciro_zk.setup(circuit, threads=1)
    scale = {port.name: port.scale for port in circuit.graph.inputs}
    given = {n: v * scale[n] for n, v in inputs.items()} if isinstance(inputs, dict) else inputs * next(iter(scale.values()))
    run = ciro_zk.infer(pk, given)
    proof, recorder = record(pk, [run] * batch if batch > 1 else run, numba_kernels(threads=1))
    ciro_zk.verify(vk, proof, allow_testing=True)
    found: dict[tuple[str, str], Work] = defaultdict(Work)
    for (phase, _, kernel, _), call in recorder.calls.items():
        if kernel != TRANSCRIPT:
            found[phase, kernel] += call.work
    assert dict(found) == counts(circuit.program.batched(batch), recorder.drawn)


@pytest.mark.parametrize("name", KERNELS)
def test_samples_are_calls_of_their_sizes(name: str) -> None:
    kernel = KERNELS[name]
    small = {"eq_table": (3,), "encode_rows": (2, 8, 1), "grind": (4,), "fold_stack": (3, 8), "product_round": (3, 8)}
    small |= {"contract_axis": (2, 3, 4, 5, 2), "eq_suffixes": (3,), "leaf_round": (16, 2)}
    dims = small.get(name, (8, 4)[: len(kernel.bulk)])
    arguments = kernel.sample(random_words(1), *dims)
    getattr(plain_kernels(), name)(*arguments)
    assert kernel.dims(*arguments) == dims
    assert kernel.work(*dims).units > 0
    assert kernel.work(*kernel.bulk).calls == 1


def test_transform_multiplications() -> None:
    """2 rows of 8 at blow-up 4: 4 cosets a row, 8 powers and 12 butterflies each."""
    assert encode_work(2, 8, 2) == Work(calls=1, base=2 * 4 * (8 + 12))


def test_lookups_in_closed_form() -> None:
    """All layers' folds: the sum over k < L of 4 (2^k - 1), the first of the leaves' layer apart."""
    program = toy().program
    leaves = program.plan.log_leaves
    work = counts(program)["lookups", "fold_stack"]
    assert work == Work(calls=leaves * (leaves - 1) // 2 - 1, ext=4 * ((1 << leaves) - 1 - leaves) - (1 << leaves))
    assert counts(program)["lookups", "fraction_layer"] == Work(calls=leaves - 2, ext=3 * ((1 << leaves - 1) - 2))


def test_profile_of_a_proof() -> None:
    pk, vk = ciro_zk.setup(toy(), threads=1)
    run = ciro_zk.infer(pk, toy_input() / 128)
    proof, profile = profile_prove(pk, run, threads=1, repeats=1)
    assert bytes(proof) == bytes(ciro_zk.prove(pk, run, threads=1))
    ciro_zk.verify(vk, proof, allow_testing=True)
    assert [phase.name for phase in profile.phases] == list(PHASES)
    assert profile.seconds > 0 and profile.ratio > 1
    assert sum(op.seconds for op in profile.ops) == pytest.approx(profile.seconds)
    data = json.loads(json.dumps(profile.as_dict()))
    assert data["phases"][2]["kernels"][0]["calls"] > 0
    text = str(profile)
    assert "fraction_round" in text and "outside kernels" in text and "conv" in text
    assert all(len(line) <= 130 for line in text.splitlines())
    root = ET.fromstring(profile.svg())
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) > 10


def test_command(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    pk, _ = ciro_zk.setup(toy(), threads=1)
    pk.save(folder / "pk.bin")
    np.savez(tmp_path / "x.npz", x=toy_input() / 128)
    chart = tmp_path / "chart.svg"
    arguments = [
        "profile",
        str(folder),
        "--input",
        str(tmp_path / "x.npz"),
        "--repeats",
        "1",
        "--svg",
        str(chart),
        "--batch",
        "2",
        "--json",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1])["batch"] == 2
    ET.parse(chart)
