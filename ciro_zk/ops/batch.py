"""One graph for N inferences: every tensor that depends on an input gets the batch as an axis in front.

Weights, what is computed from weights alone, and tables stay as they are, so the weight oracle and its commitment are
those of the single inference. The batched graph is an ordinary graph: nothing in the proof system knows about batches.
"""

from __future__ import annotations

from dataclasses import replace

from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.op import CircuitError, Op, ProductOp
from ciro_zk.circuit.tensor import Storage
from ciro_zk.ops.linear import AxisMap, Reshape

MAX_BATCH = 1 << 14


class _Batcher:
    """Builds the batched graph; see `ciro_zk.circuit.op.Batcher`."""

    def __init__(self, graph: Graph, size: int) -> None:
        self.graph, self.size = graph, size
        self.builder = GraphBuilder(graph.tables)
        self.ids: dict[int, int] = {}
        self.is_batched: dict[int, bool] = {}

    def add(self, op: Op) -> tuple[int, ...]:
        return self.builder.add(op)

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self.builder.tensors[tensor].shape

    def leaves(self) -> None:
        """Inputs with the batch in front, weights as they are."""
        scales = {port.tensor: port.scale for port in self.graph.inputs}
        for i, tensor in enumerate(self.graph.tensors):
            if tensor.storage is Storage.INPUT:
                shape = (self.size, *tensor.shape)
                self.ids[i] = self.builder.input(tensor.name, shape, low=tensor.low, high=tensor.high, scale=scales[i])
                self.is_batched[i] = True
            elif tensor.storage is Storage.WEIGHT:
                self.ids[i] = self.builder.weight(tensor.name, tensor.shape, low=tensor.low, high=tensor.high)
                self.is_batched[i] = False

    def node(self, op: Op, outputs: tuple[int, ...]) -> None:
        """An operator, batched where an operand is."""
        flags = [self.is_batched[i] for i in op.inputs]
        ids = tuple(self.ids[i] for i in op.inputs)
        if any(flags):
            # a product's second operand may be the same for all
            whole = 1 if isinstance(op, ProductOp) else len(ids)
            ids = tuple(i if flag or k >= whole else self.repeated(i) for k, (i, flag) in enumerate(zip(ids, flags, strict=True)))
            new = op.batch(self, ids)
        else:
            new = self.builder.add(replace(op, inputs=ids))
        for old, made in zip(outputs, new, strict=True):
            self.ids[old], self.is_batched[old] = made, any(flags)

    def repeated(self, tensor: int) -> int:
        """An unbatched tensor, the same for every inference."""
        (view,) = self.add(Reshape(inputs=(tensor,), shape=(1, *self.shape(tensor))))
        (wide,) = self.add(AxisMap(inputs=(view,), axis=0, index=((0,),) * self.size, weight=((1,),) * self.size))
        return wide


def batch_graph(graph: Graph, size: int) -> Graph:
    """The graph of `size` inferences. `CircuitError` where a tensor gets too large."""
    if not 2 <= size <= MAX_BATCH:
        raise CircuitError(f"a batch has 2 to {MAX_BATCH} inferences, got {size}")
    batcher = _Batcher(graph, size)
    batcher.leaves()
    for node in graph.nodes:
        batcher.node(node.op, node.outputs)
    for port in graph.outputs:
        tensor = batcher.ids[port.tensor]
        if not batcher.is_batched[port.tensor]:
            tensor = batcher.repeated(tensor)
        batcher.builder.output(port.name, tensor, scale=port.scale)
    return batcher.builder.build()
