"""One inference of a batch, shown alone with something else in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from soundness.malicious import Claimed, accepted, forge, keys, leaves_of, run_graph
from strategies import toy, toy_input

from ciro_zk.verifier import Verified


@cache
def batch_of_three() -> Verified:
    """Three inferences of the toy in one proof, verified."""
    pk, vk = keys(toy())
    x = np.stack([toy_input(seed) for seed in (2, 3, 4)])
    values = run_graph(toy().program.batched(3).graph, leaves_of(pk, x, batch=3))
    return accepted(vk, forge(pk, Claimed(values=values, batch=3)))


def one_inference(**changes: Any) -> Callable[[], object]:
    """The second inference with something else, for a receiver who has the true statement."""
    false = replace(batch_of_three().inference(1), **changes)
    return lambda: false.check()


def inference_of_another() -> Callable[[], object]:
    """The output of the third."""
    return one_inference(integer_outputs=batch_of_three().inference(2).integer_outputs)


def inference_of_another_program() -> Callable[[], object]:
    """A program whose outputs are worth twice as much: the same integers mean other reals."""
    program = batch_of_three().program
    (port,) = program.graph.outputs
    return one_inference(program=replace(program, graph=replace(program.graph, outputs=(replace(port, scale=2 * port.scale),))))


def inference_of_another_shape() -> Callable[[], object]:
    """The true cells along an axis more."""
    return one_inference(integer_outputs={name: value[None] for name, value in batch_of_three().inference(1).integer_outputs.items()})


def inference_between_integers() -> Callable[[], object]:
    """Numbers that the digest, of integers, takes for the true ones."""
    outputs = batch_of_three().inference(1).integer_outputs
    return one_inference(integer_outputs={name: value + np.sign(value) * 0.25 for name, value in outputs.items()})
