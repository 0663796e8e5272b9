"""Makes `verifier/spec/vectors`: `python verifier/spec/make_vectors.py --write`; without `--write` it only says what would change.

Vectors change with the protocol's version string or a format's version, never otherwise: `tests/vectors` holds this library to them.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from ciro_zk import proof as proofs
from ciro_zk.circuit.layout import Layout
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.container import CHECKSUM_BYTES
from ciro_zk.field import ntt
from ciro_zk.field.extension import Ext, P
from ciro_zk.hash.blake2s import check_work, grind, hash_columns
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.hash.transcript import ProverTranscript, Transcript
from ciro_zk.kernels import plain_kernels
from ciro_zk.params import PRESETS
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.statement import PROTOCOL, statement_of
from ciro_zk.proof import Proof
from ciro_zk.prover import Proving, Witness, committed_weights, prove, setup
from ciro_zk.security import ProofShape, commitment_params
from ciro_zk.witness import Run, infer
from verifier.spec.circuits import blocks, least, listed, sample, standard, varied
from verifier.spec.record import check, element, plan_entry, run_entry

FOLDER = Path(__file__).parent / "vectors"
Json = dict[str, Any]


# Honest proofs -------------------------------------------------------------------------------------------------------------------


def statement_entry(vk: VerifyingKey, proof: Proof) -> Json:
    """The statement's fields, and the public integers."""
    statement = statement_of(vk.program, vk.model_commitment, proof.inputs, proof.outputs, proof.batch)
    return {
        "program digest": statement.program_digest.hex(),
        "model commitment": statement.model_commitment.hex(),
        "preset": statement.preset,
        "batch": statement.batch,
        "input digest": statement.input_digest.hex(),
        "output digest": statement.output_digest.hex(),
        "inputs": {name: value.tolist() for name, value in proof.inputs.items()},
        "outputs": {name: value.tolist() for name, value in proof.outputs.items()},
    }


def honest_entry(vk_bytes: bytes, proof_bytes: bytes) -> Json:
    """Everything a verifier computes of a key and a proof."""
    vk, proof = VerifyingKey.from_bytes(vk_bytes), Proof.from_bytes(proof_bytes)
    found, registration_log, log = check(vk_bytes, proof_bytes)
    if found != {"verdict": "accepted"} or vk.program.registration is None:
        raise SystemExit(f"an honest proof is {found}")
    program, registration = vk.program.batched(proof.batch), vk.program.registration
    return {
        **found,
        "key": {
            "digest": vk.digest.hex(),
            "plan": plan_entry(registration),
            "manifest": json.loads(registration.manifest),
            "run": run_entry(registration, registration_log),
        },
        "statement": statement_entry(vk, proof),
        "plan": plan_entry(program),
        "run": run_entry(program, log),
    }


def proven(circuit: Circuit, batch: int = 1) -> tuple[ProvingKey, bytes, bytes]:
    """Keys and an honest proof."""
    pk, vk = setup(circuit, threads=1)
    runs = [infer(pk, sample(circuit, i)) for i in range(batch)]
    return pk, bytes(vk), bytes(prove(pk, runs if batch > 1 else runs[0], threads=1))


# False proofs --------------------------------------------------------------------------------------------------------------------


class Forging(ProverTranscript):
    """Sends some messages otherwise than they are; goes on from what it sent."""

    def __init__(self, messages: Mapping[tuple[str, int], Callable[[bytes], bytes]]) -> None:
        self.messages, self.seen = messages, dict[str, int]()
        super().__init__(PROTOCOL)

    def send_bytes(self, label: str, data: bytes) -> None:
        number = self.seen.get(label, 0)
        self.seen[label] = number + 1
        forge = self.messages.get((label, number))
        super().send_bytes(label, forge(data) if forge else data)


@dataclass(frozen=True, kw_only=True)
class Lie:
    """A false proof: what is told otherwise, the rest computed honestly from there."""

    messages: Mapping[tuple[str, int], Callable[[bytes], bytes]] = field(default_factory=dict)
    inputs: Mapping[str, int] = field(default_factory=dict)
    """What is added to the first cell of an input as claimed."""
    outputs: Mapping[str, int] = field(default_factory=dict)
    cells: Mapping[str, int] = field(default_factory=dict)
    """What is added to the first cell of a witness tensor."""
    multiplicities: Mapping[int, int] = field(default_factory=dict)
    """What is added to the first multiplicity of a table."""


def forged(pk: ProvingKey, run: Run, lie: Lie) -> bytes:
    """The lie's proof."""
    kernels, program = plain_kernels(), pk.program
    plan, tensors = program.plan, program.graph.tensors
    values = {i: value.copy() for i, value in run.values.items()}
    names = {tensor.name: i for i, tensor in enumerate(tensors) if tensor.storage is Storage.WITNESS}
    for name, change in lie.cells.items():
        values[names[name]].reshape(-1)[0] += change
    cells = dict(Witness.of(kernels, plan, values).cells)
    for table, change in lie.multiplicities.items():
        cells[plan.multiplicity(table)][0] += np.uint64(change)
    inputs = {name: value.copy() for name, value in run.integer_inputs.items()}
    outputs = {name: value.copy() for name, value in run.integer_outputs.items()}
    for changed, public in ((lie.inputs, inputs), (lie.outputs, outputs)):
        for name, change in changed.items():
            public[name].reshape(-1)[0] += change
    statement = statement_of(program, pk.vk.model_commitment, inputs, outputs)
    proving = Proving(program, statement, kernels, committed_weights(kernels, pk), Witness(cells))
    proving.transcript = Forging(lie.messages)
    body = proving.run()
    return bytes(Proof(program_digest=program.digest, model_commitment=pk.vk.model_commitment, inputs=inputs, outputs=outputs, body=body))


def plus_one(data: bytes) -> bytes:
    """The first element of a message and one."""
    return ((int.from_bytes(data[:8], "little") + 1) % P).to_bytes(8, "little") + data[8:]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def another_nonce(data: bytes) -> bytes:
    return (int.from_bytes(data, "little") + 1).to_bytes(8, "little")


def lies() -> dict[str, tuple[str, Lie]]:
    """Lies about the proof of `varied`, by name, with what is told."""
    one = plus_one
    return {
        "output": ("output `sum` is one too low in the statement; everything else is honest", Lie(outputs={"sum": -1})),
        "input": ("input `e` is one too high in the statement", Lie(inputs={"e": 1})),
        "witness-cell": ("the committed output of requantisation `z` is one too high: no row of its table", Lie(cells={"z.out": 1})),
        "multiplicity": ("a multiplicity is one too high", Lie(multiplicities={0: 1})),
        "witness-root": ("another root than that of the committed witness", Lie(messages={("witness root", 0): flipped})),
        "root-denominator": ("another product of all denominators", Lie(messages={("root denominator", 0): one})),
        "zero-denominator": (
            "the product of all denominators is sent as zero",
            Lie(messages={("root denominator", 0): lambda d: bytes(16)}),
        ),
        "layer-round": ("one coefficient of a round of layer 3", Lie(messages={("layer round", 3): one})),
        "layer-value": ("one value at the end of layer 2", Lie(messages={("layer values", 2): one})),
        "accumulator": ("an accumulator's value", Lie(messages={("accumulator values", 0): one})),
        "product-round": ("a coefficient of the products' first round", Lie(messages={("product round", 0): one})),
        "factor": ("a factor's value", Lie(messages={("factor values", 1): one})),
        "opening-round": ("a coefficient of the opening's second round", Lie(messages={("opening round", 1): one})),
        "clear-message": ("a cell of the message in clear", Lie(messages={("clear message", 0): one})),
        "column": ("a cell of an opened column of the witness", Lie(messages={("columns", 1): one})),
        "sibling": ("a sibling in the weights' Merkle opening", Lie(messages={("siblings", 0): flipped})),
        "nonce": ("another nonce before the queries", Lie(messages={("query grinding", 0): another_nonce})),
    }


def damaged(vk: VerifyingKey, data: bytes, other: bytes) -> dict[str, tuple[str, bytes]]:
    """Proofs of `varied` made false by their bytes alone; `other` is an honest proof of another input."""
    proof, second = Proof.from_bytes(data), Proof.from_bytes(other)
    name, output = next(iter(proof.outputs.items()))
    high = {name: np.where(np.arange(output.size).reshape(output.shape) == 0, 1 << 40, output)}
    high |= {other_name: value for other_name, value in proof.outputs.items() if other_name != name}
    root = {**proof.outputs}
    clear = bytes(proof.body)
    element_at = 32 + 8
    body = clear[:element_at] + (P).to_bytes(8, "little") + clear[element_at + 8 :]
    version = struct.pack("<H", proofs.VERSION + 1)
    return {
        "transplant": ("the statement of one honest proof with the messages of another", bytes(replace(proof, body=second.body))),
        "program": ("a program digest with one bit flipped", bytes(replace(proof, program_digest=flipped(proof.program_digest)))),
        "model": ("a model commitment with one bit flipped", bytes(replace(proof, model_commitment=flipped(proof.model_commitment)))),
        "range": (f"output `{name}` beyond its range", bytes(replace(proof, outputs=high))),
        "batch": ("a batch of two without the batch axis", bytes(replace(proof, batch=2, outputs=root))),
        "truncated": ("the last 8 bytes of the messages are missing", bytes(replace(proof, body=clear[:-8]))),
        "trailing": ("a zero byte after the last message", bytes(replace(proof, body=clear + b"\x00"))),
        "not-canonical": ("the product of all denominators has the coordinate p", bytes(replace(proof, body=body))),
        "checksum": ("the container's checksum is wrong", data[:-1] + bytes([data[-1] ^ 1])),
        "newer": (f"format version {proofs.VERSION + 1}", seal(data[:12] + version + data[14:-CHECKSUM_BYTES])),
        "surplus": ("a byte between the last section and the checksum", seal(data[:-CHECKSUM_BYTES] + b"\x00")),
    }


def seal(body: bytes) -> bytes:
    return body + hashlib.blake2s(body).digest()


def false_entry(what: str, vk: bytes, data: bytes) -> Json:
    """The verdict on a false proof and how far the transcript came."""
    found, _, log = check(vk, data)
    if found["verdict"] == "accepted":
        raise SystemExit(f"a false proof is accepted: {what}")
    last = {"steps": len(log.steps), "last state": log.last_state}
    return {"what": what, **found, **last, **({"claims": log.claims[-1]} if log.claims else {})}


def false_keys(vk_bytes: bytes) -> dict[str, tuple[str, bytes]]:
    """Verifying keys of `varied` whose registration is false."""
    vk = VerifyingKey.from_bytes(vk_bytes)
    at = len(vk.registration) // 2
    return {
        "registration": (
            "a byte in the middle of the registration",
            bytes(replace(vk, registration=vk.registration[:at] + flipped(vk.registration[at:]))),
        ),
        "registered-model": (
            "another model commitment than the registered one",
            bytes(replace(vk, model_commitment=flipped(vk.model_commitment))),
        ),
    }


# Parts ---------------------------------------------------------------------------------------------------------------------------


def primitives() -> Json:
    """Field, code, hash, transcript: small vectors of each."""
    a, b = Ext(P - 1, 123456789012345678), Ext(2**63, P - 2)
    message = np.array([[1, 2, 3, 4], [P - 1, 0, 5, 2**63]], dtype=np.uint64)
    codeword = ntt.encode_rows(message, 1)
    tree = MerkleTree(hash_columns(codeword), plain_kernels())
    positions = [1, 2, 3, 6]
    transcript = Transcript("example")
    states = [transcript._state.hex()]
    transcript.absorb("data", b"\x01\x02\x03")
    states.append(transcript._state.hex())
    drawn = transcript.challenges("pair", 2)
    states.append(transcript._state.hex())
    spread = transcript.positions("positions", 6, 4)
    states.append(transcript._state.hex())
    nonce = grind(transcript._state, 10)
    if not check_work(transcript._state, nonce, 10):
        raise SystemExit("no proof of work")
    return {
        "field": {
            "a": element(a), "b": element(b), "a + b": element(a + b), "a - b": element(a - b), "a b": element(a * b),
            "1 / a": element(a.inverse()), "generator": 7, "root of order 2^32": str(ntt.root_of_unity(32)),
        },
        "code": {
            "message": [[str(v) for v in row] for row in message.tolist()], "log_blowup": 1,
            "codeword": [[str(v) for v in row] for row in codeword.tolist()],
            "points": [str(ntt.evaluation_point(3, i)) for i in range(8)],
        },
        "merkle": {
            "leaves": [leaf.tobytes().hex() for leaf in tree.levels[0]], "root": tree.root.hex(), "positions": positions,
            "siblings": [digest.hex() for digest in tree.open(positions)],
        },
        "transcript": {
            "domain": "example", "absorb": ["data", "010203"], "challenges": ["pair", [element(v) for v in drawn]],
            "positions": ["positions", 6, 4, spread], "states": states, "work": {"bits": 10, "nonce": nonce},
        },
    }  # fmt: skip


SHAPES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((1,),), ((5, 3), (2, 2)), ((768, 100),), ((300, 40),), ((1, 64, 3, 7, 7), (64,), (1000, 513)), ((7, 7, 7, 7, 7), (3,)),
    ((4097,), (4096,)), ((5000, 3), (3, 5000)), ((9999, 11, 3),),
)  # fmt: skip


def layouts() -> list[Json]:
    """Packing of tensors of some shapes."""
    found = []
    for shapes in SHAPES:
        tensors = [Tensor(name="", shape=shape, storage=Storage.WITNESS, low=0, high=1, bounded_by="") for shape in shapes]
        layout = Layout.of(enumerate(tensors))
        blocks = [[b.tensor, list(b.starts), list(b.logs), b.offset] for b in layout.blocks]
        found.append({"shapes": [list(shape) for shape in shapes], "num_vars": layout.num_vars, "blocks": blocks})
    return found


def levels() -> list[Json]:
    """The openings chosen for some sizes."""
    found = []
    for preset in PRESETS.values():
        for num_vars in ((4, 8), (9, 9), (10, 14), (16, 12), (17, 18), (20, 21), (23, 24)):
            shape = ProofShape(
                log_leaves=num_vars[1] + 1, max_columns=3, product_rounds=num_vars[0], product_degree=3, num_products=4, num_zero_checks=2,
                num_claims=14, num_vars=num_vars,
            )  # fmt: skip
            for first in (None, (max(num_vars[0] // 2, 4) + 1, preset.log_blowup)):
                try:
                    params = commitment_params(preset, shape, first)
                except ValueError:
                    continue
                chosen = [
                    [[o.num_vars, o.code.log_columns, o.code.log_blowup, o.code.num_queries, o.code.multiplicity] for o in level]
                    for level in params.levels
                ]
                entry = {"preset": preset.name, "num_vars": list(num_vars), "first": first and list(first), "levels": chosen}
                found.append(entry | {"fold_grinding_bits": params.fold_grinding_bits})
    return found


# Files ---------------------------------------------------------------------------------------------------------------------------


def text(value: Any) -> bytes:
    """JSON of one line per entry of the top two levels: small, and readable in a diff."""
    return (json.dumps(value, indent=None, separators=(",", ":")).replace('],["', '],\n["') + "\n").encode()


def made() -> dict[str, bytes]:
    """Every file of the vectors, by name."""
    files: dict[str, bytes] = {
        "primitives.json": text(primitives()),
        "layouts.json": text(layouts()),
        "levels.json": text({"shape": "log_leaves = v1 + 1, max_columns 3, rounds v0, degree 3, 4 products, 2 zero checks, 14 claims",
                             "entries": levels()}),
    }  # fmt: skip
    cases = {"varied": (varied(), 1), "blocks": (blocks(), 1), "batch": (least(), 3), "standard": (standard(), 1), "listed": (listed(), 1)}
    for name, (circuit, batch) in cases.items():
        pk, vk, proof = proven(circuit, batch)
        files |= {f"{name}.vkey": vk, f"{name}.proof": proof, f"{name}.json": text(honest_entry(vk, proof))}
        if name == "varied":
            files |= false_files(pk, vk, proof)
    return files


def false_files(pk: ProvingKey, vk: bytes, proof: bytes) -> dict[str, bytes]:
    """The false proofs and keys of `varied`."""
    run, files, entries = infer(pk, sample(varied())), dict[str, bytes](), dict[str, Json]()
    other = bytes(prove(pk, infer(pk, sample(varied(), 1)), threads=1))
    every = {name: (what, forged(pk, run, lie)) for name, (what, lie) in lies().items()}
    every |= damaged(pk.vk, proof, other)
    for name, (what, data) in every.items():
        files[f"false/{name}.proof"] = data
        entries[f"{name}.proof"] = false_entry(what, vk, data)
    for name, (what, data) in false_keys(vk).items():
        files[f"false/{name}.vkey"] = data
        found, _, _ = check(data, proof)
        if found["verdict"] == "accepted":
            raise SystemExit(f"a false key is accepted: {what}")
        entries[f"{name}.vkey"] = {"what": what, **found}
    return files | {"false/verdicts.json": (json.dumps(entries, indent=1) + "\n").encode()}


def main() -> None:
    files = made()
    there = {str(path.relative_to(FOLDER)): path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}
    changed = sorted(name for name in files.keys() | there.keys() if files.get(name) != there.get(name))
    print("\n".join(changed) or "nothing changed", f"\n{sum(map(len, files.values()))} bytes in {len(files)} files")
    if sys.argv[1:] == ["--write"]:
        for name in there.keys() - files.keys():
            (FOLDER / name).unlink()
        for name, data in files.items():
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_bytes(data)
    elif changed:
        sys.exit(1)


if __name__ == "__main__":
    main()
