"""Sections 4 and 10: files, the statement, the registration of the weights."""

from __future__ import annotations

import json
from hashlib import blake2s
from math import prod

from verifier.spec.reference.forms import Json
from verifier.spec.reference.phases import run
from verifier.spec.reference.state import State
from verifier.spec.reference.transcript import Refused, Transcript


def parameters(plan: Json) -> bytes:
    """Section 4: what the statement absorbs of the parameters."""
    opening = plan["opening"]
    numbers = [plan["lookup_grinding_bits"], opening["grinding_bits"], opening["fold_grinding_bits"], int(opening["sampled"])]
    for level in opening["levels"]:
        numbers.append(len(level))
        for oracle in level:
            numbers += [oracle[name] for name in ("num_vars", "log_columns", "log_blowup", "num_queries", "multiplicity")]
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def sections(data: bytes) -> list[bytes]:
    """The payloads of a container that is whole."""
    at, found = 16, []
    for _ in range(int.from_bytes(data[14:16], "little")):
        at += 1 + data[at]
        size = int.from_bytes(data[at : at + 8], "little")
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    if at + 32 != len(data) or blake2s(data[:at]).digest() != data[at:]:
        raise Refused("malformed", "checksum")
    return found


def verify(vk: bytes, proof: bytes, plan: Json, registration: Json, manifest: Json) -> tuple[list[str], list[str]]:
    """The states of the registration's transcript and of the proof's; `manifest` is the registration program's. Batches of one."""
    own, model, sample, body = sections(vk)
    header, public, messages = sections(proof)
    head, key = json.loads(header), json.loads(own)
    digest = blake2s(own, person=b"ciroprog").digest()
    if head["program"] != digest.hex() or head["model"] != model.hex() or head["batch"] != 1:
        raise Refused("rejected", "statement")
    cells = [int.from_bytes(public[i : i + 8], "little", signed=True) for i in range(10, len(public), 8)]
    ports = [[n for n in key["graph"]["nodes"] if n["kind"] == "input"], key["graph"]["outputs"]]
    ids = [[i for i, t in enumerate(plan["tensors"]) if t["storage"] == "input"], [port["tensor"] for port in ports[1]]]
    given: list[list[list[int]]] = []
    digests = []
    for kind, named, numbers in zip(("inputs", "outputs"), ports, ids, strict=True):
        text = b""
        given.append([])
        for (name, shape), port, i in zip(head[kind], named, numbers, strict=True):
            tensor = plan["tensors"][i]
            told, cells = cells[: prod(shape)], cells[prod(shape) :]
            given[-1].append(told)
            if name != port["name"] or shape != tensor["shape"] or not all(tensor["low"] <= v <= tensor["high"] for v in told):
                raise Refused("rejected", "statement")
            text += len(name.encode()).to_bytes(4, "little") + name.encode() + len(shape).to_bytes(4, "little")
            text += b"".join(d.to_bytes(8, "little") for d in shape)
            text += b"".join(v.to_bytes(8, "little", signed=True) for v in told)
        digests.append(blake2s(text, person=b"ciropubl").digest())
    empty = blake2s(b"", person=b"ciropubl").digest()
    mine = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    states = []
    inputs, outputs = dict(zip(ids[0], given[0], strict=True)), given[1]
    for program, stream, checked, public, named, ends in (
        (blake2s(mine, person=b"ciroprog").digest(), body, manifest, ({}, []), registration, [empty, empty]),
        (digest, messages, key, (inputs, outputs), plan, digests),
    ):
        t = Transcript(stream)
        statement = (program, model, key["preset"].encode(), (1).to_bytes(8, "little"), *ends)
        labels = ("program digest", "model commitment", "preset", "batch", "input digest", "output digest")
        for label, data in zip(labels, statement, strict=True):
            t.absorb(label, data)
            if label == "model commitment" and sample:
                t.absorb("weights sample", sample)
        t.absorb("parameters", parameters(named))
        run(State(checked, named, *public, t), model, sample)
        states.append(t.states)
    return states[0], states[1]
