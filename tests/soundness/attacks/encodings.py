"""Second encodings of a true proof, and proofs cut short."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.attacks.attempt import Attempt
from soundness.malicious import Claimed, Lie, forge, honest, keys, leaves_of, run_graph
from strategies import tiny, tiny_input, toy, toy_input

from ciro_zk.field.extension import Ext, P


@cache
def long_element() -> Attempt:
    """The accumulators' values of an all-zero run written as p instead of 0: another proof of the same statement."""
    pk, vk = keys(tiny())
    values = run_graph(tiny().graph, leaves_of(pk, np.zeros((1, 1, 4), dtype=np.int64)))
    lie = Lie(messages={("accumulator values", 0): lambda data: data.replace(bytes(8), P.to_bytes(8, "little"))})
    return Attempt(vk, forge(pk, Claimed(values=values), lie))


def reducing(patch: pytest.MonkeyPatch) -> None:
    """Elements are reduced instead of refused."""

    def from_bytes(data: bytes) -> Ext:
        return Ext(int.from_bytes(data[:8], "little") % P, int.from_bytes(data[8:], "little") % P)

    patch.setattr(Ext, "from_bytes", staticmethod(from_bytes))


@cache
def long_columns() -> Attempt:
    """A row of zeros committed as a row of p: columns of words that are no canonical elements, under a root of their own."""
    pk, vk = keys(toy())
    values = run_graph(toy().graph, leaves_of(pk, toy_input()))

    def stretched(codewords: Any) -> Any:
        empty = ~codewords.any(axis=1)
        assert empty.any()
        codewords[empty] = P
        return codewords

    return Attempt(vk, forge(pk, Claimed(values=values), Lie(codewords=stretched)))


@cache
def trailing_bytes() -> Attempt:
    """A proof with a postscript."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, body=proof.body + bytes(16)))


@cache
def cut_short() -> Attempt:
    """A proof without its last round."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, body=proof.body[:-32]))
