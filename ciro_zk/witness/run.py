"""Running a circuit on integers: the specification of what is proven, and the witness of a proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ciro_zk.errors import InputError
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey
from ciro_zk.program.public import by_name, quantise

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Run:
    """One inference: its public tensors and every integer on the way.

    `outputs` is dequantised, in graph order; `integer_outputs` beside it. `values` holds all tensors by id (the
    witness: keep it private). `device` is the device that really ran.
    """

    integer_inputs: dict[str, Integers]
    integer_outputs: dict[str, Integers]
    outputs: dict[str, NDArray[np.float64]]
    values: Mapping[int, Integers]
    device: str

    def __repr__(self) -> str:
        return f"Run({', '.join(self.outputs)} on {self.device})"


def infer(key: ProvingKey | Circuit, inputs: ArrayLike | Mapping[str, ArrayLike], device: str = "auto") -> Run:
    """Run a circuit on real inputs.

    Parameters
    ----------
    key : ProvingKey or Circuit
        What to run.
    inputs : array or dict by name
        Exactly the model's shapes; bool, int or float.
    device : str
        "auto" or "cpu".

    Raises
    ------
    InputError
        Another shape, a value that is not finite or outside the declared range, or an unknown device.
    """
    if device not in ("auto", "cpu"):
        raise InputError(f"cannot run on {device!r}", field="device", remedy="use 'auto' or 'cpu'; this version runs on the CPU only")
    graph = key.program.graph
    given = by_name("input", graph.inputs, inputs)
    integers = {port.name: quantise(port, graph.tensors[port.tensor], given[port.name]) for port in graph.inputs}
    values = graph.run({port.tensor: integers[port.name] for port in graph.inputs} | dict(key.weights))
    outputs = {port.name: np.ascontiguousarray(values[port.tensor]) for port in graph.outputs}
    real = {port.name: outputs[port.name] * np.float64(port.scale) for port in graph.outputs}
    return Run(integers, outputs, real, values, "cpu")
