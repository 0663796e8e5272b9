"""Layers with a state that a caller carries from step to step."""

from __future__ import annotations

from math import sqrt

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


MAX_STEPS = 256


@expands("LinearAttention", 27)
def linear_attention(parts: Parts) -> None:
    """A matrix for a memory, step by step: S <- e^g S + k v'^T with v' = beta (v - S^T k) where there is a beta; y = scale S^T q."""
    batch, steps, hidden = parts.shape(0)
    heads, groups = int(parts.attribute("q_num_heads")), int(parts.attribute("kv_num_heads"))
    size, width = hidden // heads, parts.shape(2)[2] // groups
    if steps > MAX_STEPS:
        raise Kept(f"{steps} steps", f"at most {MAX_STEPS} are unrolled")
    kind = parts.dtype(0)
    scale = float(parts.attribute("scale", 0.0) or 0.0) or 1 / sqrt(size)

    def step(index: int, t: int, shape: tuple[int, ...]) -> str:
        """Step t of an operand, by heads."""
        return parts.reshape(parts.add("Gather", parts.name(index), parts.constant(t, np.int64), axis=1), shape)

    def decay(t: int) -> str:
        """e^g, (batch, groups, size or 1, 1)."""
        return parts.add("Exp", step(4, t, (batch, groups, parts.shape(4)[2] // groups, 1)))

    state = parts.name(3) if parts.has(3) else ""
    found = []
    for t in range(steps):
        k, v = step(1, t, (batch, groups, size, 1)), step(2, t, (batch, groups, 1, width))
        if state and parts.has(4):
            state = parts.add("Mul", state, decay(t))
        if parts.has(5):
            known = v
            if state:
                known = parts.add("Sub", v, parts.add("MatMul", parts.add("Transpose", k, perm=[0, 1, 3, 2]), state))
            v = parts.add("Mul", known, step(5, t, (batch, parts.shape(5)[2], 1, 1)))
        written = parts.add("MatMul", k, v)
        state = parts.add("Add", state, written) if state else written
        queries = step(0, t, (batch, groups, heads // groups, size))
        read = parts.add("Mul", parts.add("MatMul", queries, state), parts.constant(scale, kind))
        found.append(parts.reshape(read, (batch, 1, heads * width)))
    parts.add("Concat", *found, output=parts.node.output[0], axis=1)
    if len(parts.node.output) > 1 and parts.node.output[1]:
        parts.add("Identity", state, output=parts.node.output[1])
