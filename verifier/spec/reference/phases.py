"""The phases in order."""

from __future__ import annotations

from verifier.spec.reference.field import ONE, base, lg, mul, split, sub, total
from verifier.spec.reference.forms import cells_of
from verifier.spec.reference.lookups import lookups
from verifier.spec.reference.opening import opening
from verifier.spec.reference.products import products
from verifier.spec.reference.state import State
from verifier.spec.reference.transcript import Refused, Transcript


def run(state: State, model: bytes, sample: bytes) -> None:
    transcript = state.t
    roots = [model, transcript.receive("witness root", 32)]
    if state.plan["opening"]["sampled"]:
        weights, witness = state.plan["opening"]["levels"][0]
        alone = Transcript(sample, b"ciro_zk native 2 weights sample")
        alone.absorb("model commitment", model)
        point = alone.draw("weights sample point", weights["num_vars"])
        state.samples.append((point, alone.elements("weights sample", 1)[0]))
        point = transcript.draw("witness sample point", witness["num_vars"])
        state.samples.append((point, transcript.elements("witness sample", 1)[0]))
    transcript.work("lookup grinding", state.plan["lookup_grinding_bits"])
    lookups(state)
    products(state)
    for port, cells in zip(state.graph.graph["outputs"], state.outputs, strict=True):
        shape = state.graph.tensors[port["tensor"]]["shape"]
        vectors = split(transcript.draw("output point", sum(map(lg, shape))), shape)
        terms, constant = state.graph.resolve(port["tensor"], ONE, vectors)
        value = total(mul(w, base(v)) for w, v in zip(cells_of(vectors), cells, strict=True))
        state.ledger.append((terms, sub(value, constant)))
    opening(state, roots)
    if transcript.at != len(transcript.body):
        raise Refused("malformed", "end")
