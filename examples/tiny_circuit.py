"""One neuron, proven: the worked example of docs/protocol.md.

out = clamp(round((x . w) / 2), 0, 7) with x = (3, 2) public and w = (2, -1) committed. It builds the integer circuit by hand, without
ONNX, prints the numbers that the proof is about, and proves and verifies the run.

Usage:

    python examples/tiny_circuit.py
"""

from __future__ import annotations

import numpy as np

import ciro_zk
from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.lookup.tables import Clamp, Graph, Range
from ciro_zk.ops import MatMul, Requantise
from ciro_zk.program.circuit import Circuit


def build() -> Circuit:
    """The circuit: two leaves, one product, one requantisation."""
    builder = GraphBuilder()
    limbs = builder.table(Range(bits=4))
    relu = builder.table(Graph(function=Clamp(minimum=0, maximum=7), low=-64, high=64))
    x = builder.input("x", (1, 1, 2), low=-8, high=7, scale=1.0)
    w = builder.weight("w", (1, 2, 1), low=-8, high=7)
    (acc,) = builder.add(MatMul(inputs=(x, w)), "acc")
    out, _ = builder.add(Requantise(inputs=(acc,), shift=1, tables=(relu,), range_table=limbs), "neuron")
    builder.output("y", out, scale=1.0)
    weights = {w: np.array([2, -1], dtype=np.int64).reshape(1, 2, 1)}
    return Circuit(builder.build(), weights, "neuron", 4)


def main() -> None:
    """Show the tensors, the lookups and the verdict."""
    circuit = build()
    plan = circuit.program.plan
    pk, vk = ciro_zk.setup(circuit)
    run = ciro_zk.infer(pk, np.array([[[3, 2]]]))
    for i, tensor in enumerate(circuit.graph.tensors):
        cells = run.values[i].reshape(-1).tolist()
        print(f"tensor {i}  {tensor.name:<12} {tensor.storage:<12} {cells!s:<8} in [{tensor.low}, {tensor.high}], {tensor.bounded_by}")
    for segment in plan.segments:
        kind = "table " if segment.is_table else "lookup"
        print(f"{kind} {segment.index}  leaves {segment.offset} to {segment.offset + segment.size - 1}")
    proof = ciro_zk.prove(pk, run)
    verified = ciro_zk.verify(vk, proof, inputs=np.array([[[3, 2]]]))
    print(f"{len(plan.lookups)} lookups, 2^{plan.log_leaves} leaves; y = {verified.integer_outputs['y'].reshape(-1).tolist()}")
    print(f"{len(bytes(proof))} bytes; {verified.security}")


if __name__ == "__main__":
    main()
