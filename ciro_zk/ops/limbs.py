"""Values of `width` bits as m = ceil(width / B) limbs of a range table of B bits.

    v = sum_(i < m - 1) 2^(B i) limb_i + 2^(width - B) top        (one limb: v = top)

Committed: the limbs but the top one, which is virtual. Identity: every limb is in [0, 2^B). So v equals, in F_p, an
integer from 0 to `reach`, which is less than 2^(width + 1), or 2^B for one limb; it *is* that integer wherever the
operator's bounds leave no room for another one. Where B does not divide the width the top limb overlaps the others:
an honest v has one way to be written all the same, the lower limbs being v mod 2^(width - B). Source: protocol.md,
section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from ciro_zk.circuit.op import Column, Integers, Lookup
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import P


def inverse_power(shift: int) -> int:
    """2^(-shift) in F_p."""
    return pow(pow(2, shift, P), P - 2, P)


def num_limbs(width: int, bits: int) -> int:
    """Limbs of a value, the top one included; at least 1."""
    return max(1, -(-width // bits))


def reach(width: int, bits: int) -> int:
    """The greatest integer that the limbs can stand for."""
    lower = 1 << (bits * (num_limbs(width, bits) - 1))
    return lower - 1 + (((1 << bits) - 1) << max(0, width - bits))


def lower_limbs(values: Integers, width: int, bits: int) -> tuple[Integers, ...]:
    """The committed limbs, lowest first, of values in [0, 2^width)."""
    rest = values & ((1 << max(0, width - bits)) - 1)
    return tuple((rest >> (bits * i)) & ((1 << bits) - 1) for i in range(num_limbs(width, bits) - 1))


def limb_tensors(name: str, shape: tuple[int, ...], width: int, bits: int) -> tuple[Tensor, ...]:
    """The committed limbs, lowest first."""
    high = (1 << bits) - 1
    return tuple(
        Tensor(name=f"{name}{i}", shape=shape, storage=Storage.WITNESS, low=0, high=high, bounded_by="range lookup")
        for i in range(num_limbs(width, bits) - 1)
    )


def limb_lookups(table: int, shape: tuple[int, ...], value: Column, limbs: Sequence[int], width: int, bits: int) -> tuple[Lookup, ...]:
    """One lookup per limb of `value`; `limbs` are the ids of the committed ones."""
    scale = inverse_power(max(0, width - bits))
    terms = [(tensor, coefficient * scale % P) for tensor, coefficient in value.terms]
    terms += [(limb, (P - (1 << (bits * i))) * scale % P) for i, limb in enumerate(limbs)]
    top = Column(terms=tuple(terms), constant=value.constant * scale % P)
    columns = [Column(terms=((limb, 1),)) for limb in limbs] + [top]
    return tuple(Lookup(table=table, shape=shape, columns=(column,)) for column in columns)
