"""The factors of a product sum, in one definition for prover and verifier.

A product instance is <term, y> = sum_x f_1(x) f_2(x) over hypercube variables x. Each factor is a combination of tensors seen
through per-axis *roles*:

    Contract(u)   the axis is summed against the vector u: no variables
    Keep(u)       the axis is indexed by its own ceil(log2 d) variables, optionally weighted by u
    Map(U)        the axis is replaced by the rows of U, `(k, d)`: ceil(log2 k) variables (a convolution's kernel axis)

`table` is what the prover sums over; `forms(term(rho))` is the linear form whose value is the factor's evaluation at rho.
Cells beyond an axis's real length are zero in the table and absent from the form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import Ext
from ciro_zk.kernels import Kernels
from ciro_zk.poly import linear_form, multilinear
from ciro_zk.poly.linear_form import Dense, Eq, Group, Term, num_vars

Cells = NDArray[np.uint64]
Extension = Cells


@dataclass(frozen=True, slots=True)
class Contract:
    """Sum the axis against a vector."""

    vector: Group

    def num_vars(self, length: int) -> int:
        return 0

    def group(self, point: Sequence[Ext], length: int) -> Group:
        return self.vector


@dataclass(frozen=True, slots=True)
class Keep:
    """Index the axis by variables, cells optionally weighted."""

    weight: Group | None = None

    def num_vars(self, length: int) -> int:
        return num_vars(length)

    def group(self, point: Sequence[Ext], length: int) -> Group:
        eq = Eq(tuple(point), length)
        return eq if self.weight is None or self.weight.is_one else Dense(arrays.mul(eq.dense(), self.weight.dense()))


@dataclass(frozen=True, slots=True)
class Map:
    """Replace the axis by `rows`, `(k, 2, d)`."""

    rows: Cells

    def num_vars(self, length: int) -> int:
        return num_vars(self.rows.shape[0])

    def group(self, point: Sequence[Ext], length: int) -> Group:
        weights = multilinear.eq_table(tuple(point))[:, : self.rows.shape[0]]
        products = arrays.mul(np.ascontiguousarray(self.rows.transpose(1, 2, 0)), weights[:, None, :])
        return Dense(goldilocks.sum_axis(products))


Role = Contract | Keep | Map


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """sum of coefficient * tensor over `tensors`, seen as `view` (a reshape of their common shape) through one role per axis of it."""

    tensors: tuple[tuple[int, int], ...]
    shape: tuple[int, ...]
    view: tuple[int, ...]
    roles: tuple[Role, ...]
    constant: int = 0

    @property
    def num_vars(self) -> int:
        return sum(role.num_vars(d) for role, d in zip(self.roles, self.view, strict=True))

    def term(self, point: Sequence[Ext]) -> Term:
        """The form on the factor's view whose value is the factor at `point`."""
        groups: list[Group] = []
        start = 0
        for role, d in zip(self.roles, self.view, strict=True):
            stop = start + role.num_vars(d)
            groups.append(role.group(point[start:stop], d))
            start = stop
        return Term(tuple(groups))

    def forms(self, term: Term) -> tuple[tuple[int, Term], ...]:
        """(tensor id, term) pairs whose values sum to the factor where `term` is from, less `constant_in(term)`."""
        pulled = linear_form.reshape(term, self.shape)
        return tuple((tensor, pulled.scaled(coefficient)) for tensor, coefficient in self.tensors)

    def constant_in(self, term: Term) -> Ext:
        """What the constant contributes (real cells only)."""
        return linear_form.ones_value(term) * self.constant if self.constant else Ext(0)

    def contractions(self) -> list[tuple[int, Cells]]:
        """The axes that are summed and the rows `(k, 2, d)` to sum them against, the axis that shrinks most first."""
        found = [(axis, role.rows) for axis, role in enumerate(self.roles) if isinstance(role, Map)]
        for axis, role in enumerate(self.roles):
            if isinstance(role, Contract) and not role.vector.is_one:
                found.append((axis, role.vector.dense()[None]))
        return sorted(found, key=lambda entry: entry[1].shape[0] / self.view[entry[0]])

    def table(self, kernels: Kernels, values: Mapping[int, Cells]) -> Extension:
        """`(2, 2^num_vars)`: the factor over the hypercube, from the tensors' cells `(size,)`."""
        current = combine(kernels, self.tensors, self.constant, values).reshape(1, *self.view)
        for axis, rows in self.contractions():
            before, length, after = current.shape[1 : axis + 1], current.shape[axis + 1], current.shape[axis + 2 :]
            summed = kernels.contract_axis(current.reshape(-1, prod(before), length, prod(after)), rows)
            current = summed.reshape(2, *before, rows.shape[0], *after)
        lengths = current.shape[1:]
        table = np.zeros((2, *(1 << num_vars(d) for d in lengths)), dtype=np.uint64)
        table[(slice(current.shape[0]), *(slice(d) for d in lengths))] = current
        for axis, role in enumerate(self.roles):
            if isinstance(role, Keep) and role.weight is not None and not role.weight.is_one:
                weight = np.zeros((2, table.shape[axis + 1]), dtype=np.uint64)
                weight[:, : self.view[axis]] = role.weight.dense()
                shape = [2] + [1] * len(self.view)
                shape[axis + 1] = -1
                table = arrays.mul(table, weight.reshape(shape))
        return table.reshape(2, -1)


def combine(kernels: Kernels, tensors: Sequence[tuple[int, int]], constant: int, values: Mapping[int, Cells]) -> Cells:
    """sum of coefficient * cells + constant in F_p, `(size,)`."""
    total: Cells | None = None
    for tensor, coefficient in tensors:
        cells = values[tensor]
        part = cells if coefficient == 1 else kernels.mul(cells, np.full(cells.shape, coefficient, dtype=np.uint64))
        total = part if total is None else kernels.add(total, part)
    if total is None:
        raise ValueError("a combination needs at least one tensor")
    return total if constant == 0 else kernels.add(total, np.full(total.shape, constant, dtype=np.uint64))
