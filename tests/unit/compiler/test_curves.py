"""Tables of functions: accurate, correctly rounded, the same everywhere."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from decimal import Decimal, getcontext

import numpy as np
import pytest

from ciro_zk.compiler import curves


def table(name: str, scale: float, top: int, *parameters: float) -> list[int]:
    """A table over [-top, top] with values in units of 1 / top."""
    found = curves.table(name, parameters, scale, top, 1.0 / top, top)
    assert found.low == -top and len(found.values) == 2 * top + 1
    return list(found.values)


def decimal_value(name: str, x: Decimal) -> Decimal:
    if name == "sigmoid":
        return 1 / (1 + (-x).exp())
    return (1 - (-2 * x).exp()) / (1 + (-2 * x).exp())


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
@pytest.mark.parametrize("bits", [6, 12])
@pytest.mark.parametrize("scale", [0.004, 1.0 / 3, 7e-6])
def test_values(name: str, bits: int, scale: float) -> None:
    getcontext().prec = 60
    top = 2 ** (bits - 1) - 1
    values = table(name, scale, top)
    for q in {-top, -top // 2, -7, -1, 0, 1, 3, top // 3, top}:
        exact = decimal_value(name, Decimal(scale) * q) * top
        assert abs(values[q + top] - exact) <= Decimal("0.5")


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_symmetric_and_monotone(name: str) -> None:
    values = np.array(table(name, 0.01, 511))
    assert (np.diff(values) >= 0).all()
    mirrored = 511 - values[::-1] if name == "sigmoid" else -values[::-1]
    assert (np.delete(values, 511) == np.delete(mirrored, 511)).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_saturation(name: str) -> None:
    """Beyond the saturation nothing changes by more than a quarter of a unit."""
    getcontext().prec = 40
    for bits in range(6, 17):
        top = 2 ** (bits - 1) - 1
        rest = 1 - decimal_value(name, Decimal(curves.saturation(name, bits)))
        assert rest * top < Decimal("0.26")


def selu(x: float, alpha: float, gamma: float) -> float:
    return gamma * (x if x >= 0 else alpha * math.expm1(x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


REFERENCES: dict[str, tuple[Callable[..., float], float, float, tuple[float, ...]]] = {
    "abs": (abs, -5, 5, ()),
    "acos": (math.acos, -1, 1, ()),
    "acosh": (math.acosh, 1, 1e4, ()),
    "asin": (math.asin, -1, 1, ()),
    "asinh": (math.asinh, -50, 50, ()),
    "atan": (math.atan, -50, 50, ()),
    "atanh": (math.atanh, -0.999, 0.999, ()),
    "celu": (lambda x, a: max(0.0, x) + min(0.0, a * math.expm1(x / a)), -5, 5, (1.7,)),
    "cos": (math.cos, -100, 100, ()),
    "cosh": (math.cosh, -5, 5, ()),
    "elu": (lambda x, a: x if x >= 0 else a * math.expm1(x), -5, 5, (0.7,)),
    "erf": (math.erf, -7, 7, ()),
    "exp": (math.exp, -30, 5, ()),
    "gelu": (lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))), -8, 8, ()),
    "gelu_tanh": (lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), -8, 8, ()),
    "hard_sigmoid": (lambda x, a, b: min(max(a * x + b, 0.0), 1.0), -5, 5, (0.2, 0.5)),
    "hard_swish": (lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0), -5, 5, ()),
    "leaky": (lambda x, s: x if x >= 0 else s * x, -5, 5, (2.0,)),
    "log": (math.log, 1e-6, 1e6, ()),
    "mish": (lambda x: x * math.tanh(softplus(x)), -8, 8, ()),
    "power": (lambda x, c: x**c, 0.01, 5, (2.3,)),
    "reciprocal": (lambda x: 1 / x, 0.1, 50, ()),
    "selu": (selu, -5, 5, (1.67, 1.05)),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), -30, 30, ()),
    "sin": (math.sin, -100, 100, ()),
    "sinh": (math.sinh, -5, 5, ()),
    "softplus": (softplus, -30, 30, ()),
    "softsign": (lambda x: x / (1 + abs(x)), -5, 5, ()),
    "sqrt": (math.sqrt, 0, 100, ()),
    "swish": (lambda x, a: x / (1 + math.exp(-a * x)), -8, 8, (1.3,)),
    "tan": (math.tan, -1.5, 1.5, ()),
    "tanh": (math.tanh, -20, 20, ()),
}


@pytest.mark.parametrize("name", sorted(curves.SMOOTH))
def test_against_libm(name: str) -> None:
    reference, low, high, parameters = REFERENCES[name]
    x = np.linspace(low, high, 2001)
    wanted = np.array([reference(float(v), *parameters) for v in x])
    found = curves.SMOOTH[name](x, *parameters)
    assert np.abs(found - wanted).max() <= 1e-12 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize(("exponent", "base"), [(2.0, -3.0), (3.0, -3.0), (-1.0, -0.5), (-2.0, 4.0), (0.5, 9.0), (0.0, 0.0), (1.5, 0.0)])
def test_powers(exponent: float, base: float) -> None:
    assert curves.power(np.array([base]), exponent)[0] == pytest.approx(base**exponent, rel=1e-14)


def test_outside_the_domain() -> None:
    """The value at the nearest end, saturated: nothing is NaN."""
    x = np.array([-2.0, 0.0])
    for name in ("acosh", "acos", "asin", "atanh", "log", "sqrt", "reciprocal"):
        assert np.isfinite(curves.SMOOTH[name](x)).all()
    assert (np.array(table("log", 0.01, 100)[:101]) == -100).all()
    assert (np.array(table("sqrt", 0.01, 100)[:101]) == 0).all()
    assert (curves.power(np.array([-2.0]), 0.3) == 0).all()


@pytest.mark.parametrize("scale", [1.0, 0.1, 1 / 3, 0.0007])
def test_jumps(scale: float) -> None:
    """Whole numbers and halves that a scale does not hit are what they were."""
    values = np.array([-3.0, -2.5, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    q = np.floor(values / scale + 0.5) * scale
    slack = curves.slack(scale)
    chosen = (np.abs(q - values) <= slack) & ((scale < 0.4) | (values == np.floor(values)))
    for name, wanted in (("floor", np.floor), ("ceil", np.ceil), ("round", np.rint), ("truncate", np.trunc)):
        assert (curves.STEPPED[name](q, slack)[chosen] == wanted(values)[chosen]).all(), name


def test_division() -> None:
    x = np.arange(-9.0, 10.0)
    for divisor in (3.0, -3.0, 2.0):
        assert (curves.STEPPED["quotient"](x, 0.5, divisor) == np.trunc(x / divisor)).all()
        assert (curves.STEPPED["modulo"](x, 0.5, divisor) == np.mod(x, divisor)).all()
        assert (curves.STEPPED["fmod"](x, 0.5, divisor) == np.fmod(x, divisor)).all()


def test_golden() -> None:
    """A change here changes every circuit with such a function."""
    found = hashlib.sha256(repr([tuple(table(n, 0.00390625, 2047)) for n in ("sigmoid", "tanh")]).encode()).hexdigest()
    assert found == "eeed133ba8fc015484a0e0241dafb09b4550b85cb70db2cda8cf42b9f4e6cdd8"
