"""Public tensors: from real values to integers and back, and the checks a verifier makes of them.

Quantisation is round(x / scale) with ties upward, in float64. A value outside the declared range is an error, never clamped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ciro_zk.circuit.graph import Port
from ciro_zk.circuit.tensor import Tensor
from ciro_zk.errors import InputError, ProofRejected

Integers = NDArray[np.int64]


def by_name(kind: str, ports: Sequence[Port], given: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Given values as float64 arrays by port name. Raises `InputError` for missing, surplus or non-numeric ones."""
    names = [port.name for port in ports]
    if not isinstance(given, Mapping):
        if len(names) != 1:
            raise InputError(f"the model has {len(names)} {kind}s", field=kind, remedy=f"give a dict with the keys {', '.join(names)}")
        given = {names[0]: given}
    if set(given) != set(names):
        raise InputError(f"got the {kind}s {sorted(given)}, the model has {names}", field=kind, remedy=f"give exactly {', '.join(names)}")
    arrays = {}
    for name in names:
        array = np.asarray(given[name])
        if array.dtype.kind not in "biuf":
            raise InputError(f"has type {array.dtype}", field=name, remedy="give bool, integer or float values")
        arrays[name] = array.astype(np.float64)
    return arrays


def quantise(port: Port, tensor: Tensor, values: NDArray[np.float64]) -> Integers:
    """round(values / scale) of one input. Raises `InputError` for another shape, a value that is not finite or outside the declared
    range."""
    integers = _rounded(port, tensor, values)
    outside = (integers < tensor.low) | (integers > tensor.high)
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        low, high = tensor.low * port.scale, tensor.high * port.scale
        raise InputError(
            f"is outside the declared range [{low:.6g}, {high:.6g}]",
            field=port.name,
            index=index,
            value=float(values.reshape(tensor.shape)[index]),
            remedy="scale the input, or compile with an input_range or calibration that covers it",
        )
    return integers.astype(np.int64)


def _rounded(port: Port, tensor: Tensor, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """round(values / scale) in the tensor's shape. Raises `InputError` for another shape or a value that is not finite."""
    if values.shape != tensor.shape:
        if values.size != tensor.size or tuple(d for d in values.shape if d != 1) != tuple(d for d in tensor.shape if d != 1):
            raise InputError(f"has shape {values.shape}, the model takes {tensor.shape}", field=port.name, remedy="reshape the input")
        values = values.reshape(tensor.shape)
    if not np.isfinite(values).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InputError("is not finite", field=port.name, index=index, value=float(values[index]), remedy="remove NaN and infinities")
    return np.asarray(np.floor(values / port.scale + 0.5))


def check_public(kind: str, ports: Sequence[Port], tensors: Sequence[Tensor], values: Mapping[str, Integers]) -> None:
    """`ProofRejected` (stage "statement") unless a proof's public tensors are int64, have the ports' names and shapes and lie in
    the tensors' ranges.

    The range makes the encoding of every cell as a field element unique.
    """
    if list(values) != [port.name for port in ports]:
        raise ProofRejected(stage="statement", reason=f"the {kind}s are not those of the program", actual=list(values))
    for port in ports:
        tensor, value = tensors[port.tensor], values[port.name]
        if value.shape != tensor.shape:
            raise ProofRejected(
                stage="statement", reason=f"{kind} {port.name!r} has another shape", expected=tensor.shape, actual=value.shape
            )
        if value.dtype != np.int64:
            raise ProofRejected(stage="statement", reason=f"{kind} {port.name!r} is not of 64-bit integers", actual=str(value.dtype))
        low, high = int(value.min()), int(value.max())
        if low < tensor.low or high > tensor.high:
            raise ProofRejected(
                stage="statement", reason=f"{kind} {port.name!r} is out of range", expected=(tensor.low, tensor.high), actual=(low, high)
            )


def check_given(
    kind: str, ports: Sequence[Port], tensors: Sequence[Tensor], proven: Mapping[str, Integers], given: ArrayLike | Mapping[str, ArrayLike]
) -> None:
    """`ProofRejected` (stage "statement") unless the proven public tensors are the given real values, quantised."""
    values = by_name(kind, ports, given)
    for port in ports:
        tensor = tensors[port.tensor]
        given_units = _rounded(port, tensor, values[port.name])
        is_inside = (given_units >= tensor.low) & (given_units <= tensor.high)  # a value out of range is no proven one
        is_proven = is_inside & (np.where(is_inside, given_units, 0).astype(np.int64) == proven[port.name])
        if not is_proven.all():
            index = tuple(int(i) for i in np.argwhere(~is_proven)[0])
            raise ProofRejected(
                stage="statement",
                reason=f"the proof is about another {kind}: {port.name!r} differs at index {index}",
                expected=float(given_units[index] * port.scale),
                actual=float(proven[port.name][index] * port.scale),
            )
