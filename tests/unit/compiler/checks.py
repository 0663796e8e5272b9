"""What the compiler's tests share: small ONNX models, a witness checker that is independent of the prover, error bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ciro_zk.circuit.graph import Graph
from ciro_zk.circuit.op import Column, CommitOp
from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler.fold import fold
from ciro_zk.compiler.load import load
from ciro_zk.compiler.report import quantise_inputs
from ciro_zk.compiler.runtime import FloatModel
from ciro_zk.field.extension import P
from ciro_zk.program.circuit import Circuit

Array = NDArray[Any]
OPSET = 17
LATEST_IR = 10


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] = ("y",),
    *,
    opset: int = OPSET,
    domains: Sequence[str] = (),
    dtype: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model; shapes of outputs are left to be inferred."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, dtype, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, dtype, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    proto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)],
        ir_version=min(LATEST_IR, onnx.IR_VERSION),
    )
    inferred = onnx.shape_inference.infer_shapes(proto)
    for target, found in zip(proto.graph.output, inferred.graph.output, strict=True):
        target.type.CopyFrom(found.type)
        if not target.type.tensor_type.HasField("shape"):
            target.type.tensor_type.shape.SetInParent()
    return proto


def floats(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> NDArray[np.float32]:
    """Normal values."""
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def column_values(column: Column, values: Mapping[int, Array], shape: tuple[int, ...]) -> Array:
    """A lookup column over the integers modulo p, as Python ints in (-p/2, p/2)."""
    total = np.full(shape, column.constant, dtype=object)
    for tensor, coefficient in column.terms:
        assert values[tensor].shape == shape
        total = total + values[tensor].astype(object) * coefficient
    total %= P
    return np.where(total > P // 2, total - P, total)


def check_witness(graph: Graph, values: Mapping[int, Array]) -> None:
    """Every tensor is in its soundness range, every lookup row in its table, every zero check zero: with Python integers."""
    for index, tensor in enumerate(graph.tensors):
        value = values[index]
        assert value.shape == tensor.shape and value.dtype in (np.int64, tensor.dtype), (index, tensor.name)
        assert tensor.low <= int(value.min()) and int(value.max()) <= tensor.high, (index, tensor.name, tensor.low, tensor.high)
    rows = [set(zip(*(column.tolist() for column in table.columns()), strict=True)) for table in graph.tables]
    for node in graph.nodes:
        if not isinstance(node.op, CommitOp):
            continue
        inputs = graph.input_tensors(node.op)
        name = graph.tensors[node.outputs[0]].name
        for lookup in node.op.lookups(node.outputs, inputs, graph.tables):
            columns = [column_values(c, values, lookup.shape).reshape(-1).tolist() for c in lookup.columns]
            outside = set(zip(*columns, strict=True)) - rows[lookup.table]
            assert not outside, (name, graph.tables[lookup.table].kind, sorted(outside)[:3])
        for check in node.op.zero_checks(node.outputs, inputs):
            product = np.ones(check.shape, dtype=object)
            for column in check.columns:
                product = product * column_values(column, values, check.shape) % P
            assert not product.any(), name


def run_float(proto: onnx.ModelProto, feeds: Mapping[str, Array], *, every: bool = False) -> dict[str, Array]:
    """The float model's outputs by name, or every tensor on the way."""
    static = fold(load(proto), {value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim) for value in proto.graph.input})
    names = [value.name for value in proto.graph.output]
    if every:
        names = [name for node in static.nodes for name in node.output if name]
    return FloatModel(static, names).run(feeds)


def run(circuit: Circuit, feeds: Mapping[str, Array]) -> dict[int, Array]:
    """All integer tensors for real inputs."""
    return circuit.graph.run({**quantise_inputs(circuit.graph, feeds), **circuit.weights})


def corners(graph: Graph, rng: np.random.Generator, count: int = 4) -> list[dict[int, Array]]:
    """Integer inputs all over the declared range: both ends, random ends per cell, random cells."""
    found = []
    for i in range(count + 2):
        leaves = {}
        for port in graph.inputs:
            tensor = graph.tensors[port.tensor]
            if i < 2:
                value = np.full(tensor.shape, tensor.high if i else tensor.low, dtype=np.int64)
            elif i % 2:
                value = rng.integers(tensor.low, tensor.high + 1, tensor.shape, dtype=np.int64)
            else:
                value = np.where(rng.random(tensor.shape) < 0.5, tensor.low, tensor.high).astype(np.int64)
            leaves[port.tensor] = value
        found.append(leaves)
    return found


def check_complete(circuit: Circuit, seed: int = 0, count: int = 4) -> None:
    """No input in the declared range leaves a table's domain."""
    for leaves in corners(circuit.graph, np.random.default_rng(seed), count):
        check_witness(circuit.graph, circuit.graph.run({**leaves, **circuit.weights}))


@dataclass(frozen=True)
class Sensitivity:
    """What an operator does to rounding errors.

    |circuit - float| <= lipschitz s_x / 2 + products max|w| / M + units s_y (+ the float model's own rounding)

    `lipschitz`: greatest change of an output for a change of 1 in every input (s_x / 2 is the input's rounding error).
    `products`: greatest sum of |x| that multiplies weights; a weight is rounded by s_w / 2 and s_w <= 2 max|w| / M,
    M = 2^(b-1) - 1. `units`: roundings of the output's own scale.
    """

    lipschitz: float = 1.0
    products: float = 0.0
    peak_weight: float = 0.0
    units: float = 1.0


def compile_and_compare(
    proto: onnx.ModelProto, samples: Mapping[str, Array], sensitivity: Sensitivity, *, bits: int = 12, complete: bool = True, **options: Any
) -> Circuit:
    """Compile with the samples, compare every output with the float model within the bound, check witnesses and completeness."""
    circuit = compile_model(proto, samples, validation=samples, bits=bits, **options)
    graph = circuit.graph
    top = (1 << (bits - 1)) - 1
    x_scale = max(port.scale for port in graph.inputs)
    for port in graph.outputs:
        found = circuit.accuracy["outputs"][port.name]
        bound = sensitivity.lipschitz * x_scale / 2 + sensitivity.products * sensitivity.peak_weight / top + sensitivity.units * port.scale
        bound += 1e-5 * max(1.0, found["max_abs"])
        assert found["max_abs_error"] <= bound, (port.name, found, bound)
    first = {}
    for port in graph.inputs:
        shape = graph.tensors[port.tensor].shape
        first[port.name] = np.asarray(samples[port.name])[: shape[0]].reshape(shape)
    check_witness(graph, run(circuit, first))
    if complete:
        check_complete(circuit)
    return circuit
