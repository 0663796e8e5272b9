"""Layers with a state that a caller carries from step to step."""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler.expand.parts import Kept, Parts, expands


@expands("CausalConvWithState", 27)
def causal_convolution(parts: Parts) -> None:
    """Each channel by itself, after the cells before it; the last ones are the next state."""
    batch, channels, _ = parts.shape(0)
    kernel, kind = parts.array(1), parts.dtype(0)
    before = kernel.shape[2] - 1
    current = parts.name(0)
    if parts.has(3):
        current = parts.add("Concat", parts.name(3), current, axis=2)
    elif before:
        current = parts.add("Concat", parts.constant(np.zeros((batch, channels, before)), kind), current, axis=2)
    length = before + parts.shape(0)[2]
    activation = parts.attribute("activation", "none")
    if activation not in ("none", "silu", "swish"):
        raise Kept(f"the activation {activation!r}", "silu, swish and none are supported")
    operands = [current, parts.name(1), *([parts.name(2)] if parts.has(2) else [])]
    result = parts.add("Conv", *operands, output=parts.node.output[0] if activation == "none" else "", group=channels)
    if activation != "none":
        parts.result("Swish", result)
    if len(parts.node.output) > 1 and parts.node.output[1]:
        if not before:
            raise Kept("a state without cells", "leave its output out")
        last = parts.constant(np.arange(length - before, length), np.int64)
        parts.add("Gather", current, last, output=parts.node.output[1], axis=2)
