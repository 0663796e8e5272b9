"""Functions of one variable for lookup tables, by name and parameters.

Only +, -, *, /, sqrt, floor, frexp and ldexp on float64, each correctly rounded on every machine, so that a table has the
same integers everywhere; no libm. Accurate to about 1e-14, which a table of at most 2^18 rows does not see.

    e^x      = 2^k e^r, |r| <= ln(2) / 2, Taylor
    ln x     = k ln 2 + 2 artanh((m - 1) / (m + 1)), 2^k m = x
    sin, cos   reduced by multiples of pi / 2, Taylor
    arctan   = 4 arctan of the argument halved twice, Taylor
    erf x    = 2 / sqrt(pi) e^(-x^2) sum_n 2^n x^(2n+1) / (2n+1)!!

Outside its domain a function keeps the value at the nearest end: ln and reciprocals saturate, square roots are 0, inverse
sines keep +-pi/2. At a jump (floor, round, comparisons with a parameter) an argument within half a unit of it counts as
the jump itself, so that whole numbers and halves, which a scale seldom hits, are what they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ciro_zk.compiler.steps import Floats
from ciro_zk.lookup.tables import Sampled

LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
HALF_PI_PARTS = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
PI = 3.141592653589793
TWO_OVER_SQRT_PI = 1.1283791670955126
SQRT_TWO = 1.4142135623730951
LARGE = 1e300


def exp(x: Floats) -> Floats:
    x = np.minimum(np.maximum(x, -700.0), 700.0)
    k = np.floor(x / (LN2_HIGH + LN2_LOW) + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    total = np.ones_like(r)
    for n in range(18, 0, -1):
        total = 1.0 + r / n * total
    return np.asarray(np.ldexp(total, k.astype(np.int64)))


def log(x: Floats) -> Floats:
    """ln x; -1e300 for x <= 0."""
    inside = x > 0
    m, k = np.frexp(np.where(inside, x, 1.0))
    low = m < 0.7071067811865476
    m, k = np.where(low, 2.0 * m, m), np.where(low, k - 1, k)
    s = (m - 1.0) / (m + 1.0)
    total = np.zeros_like(s)
    for n in range(23, -1, -2):
        total = total * s * s + (1.0 / n if n > 0 else 0.0)
    return np.where(inside, k * LN2_HIGH + (k * LN2_LOW + 2.0 * s * total), -LARGE)


def _quarter(x: Floats) -> tuple[Floats, Floats, Floats]:
    """(number of quarter turns, sine and cosine of the rest)."""
    k = np.floor(x / (PI / 2) + 0.5)
    r = x
    for part in HALF_PI_PARTS:
        r = r - k * part
    sine, cosine = np.ones_like(r), np.ones_like(r)
    for n in range(20, 0, -2):
        sine = 1.0 - r * r / (n * (n + 1)) * sine
        cosine = 1.0 - r * r / (n * (n - 1)) * cosine
    return k, r * sine, cosine


def sin(x: Floats) -> Floats:
    k, sine, cosine = _quarter(x)
    turned = np.where(k % 2 == 0, sine, cosine)
    return np.where(k % 4 >= 2, -turned, turned)


def cos(x: Floats) -> Floats:
    k, sine, cosine = _quarter(x)
    turned = np.where(k % 2 == 0, cosine, sine)
    return np.where((k % 4 == 1) | (k % 4 == 2), -turned, turned)


def tan(x: Floats) -> Floats:
    return _ratio(sin(x), cos(x))


def atan(x: Floats) -> Floats:
    large = np.abs(x) > 1.0
    t = np.where(large, _ratio(np.ones_like(x), x), x)
    for _ in range(2):
        t = t / (1.0 + np.sqrt(1.0 + t * t))
    total = np.zeros_like(t)
    for n in range(27, 0, -2):
        total = 1.0 / n - t * t * total
    result = 4.0 * t * total
    return np.where(large, np.where(x > 0, PI / 2, -PI / 2) - result, result)


def erf(x: Floats) -> Floats:
    z = np.minimum(np.abs(x), 6.0)
    term, total = z, z
    for n in range(1, 160):
        term = term * (2.0 * z * z) / (2 * n + 1)
        total = total + term
    value = np.minimum(TWO_OVER_SQRT_PI * exp(-z * z) * total, 1.0)
    return np.where(x < 0, -value, value)


def _ratio(a: Floats, b: Floats) -> Floats:
    """a / b; +-1e300 for b = 0, positive where a is."""
    zero = b == 0
    return np.where(zero, np.where(a < 0, -LARGE, LARGE), a / np.where(zero, 1.0, b))


def sigmoid(x: Floats) -> Floats:
    e = exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def tanh(x: Floats) -> Floats:
    e = exp(-2.0 * np.abs(x))
    return np.where(x < 0, -1.0, 1.0) * ((1.0 - e) / (1.0 + e))


def softplus(x: Floats) -> Floats:
    return np.maximum(x, 0.0) + log(1.0 + exp(-np.abs(x)))


def _root(x: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(x, 0.0)))


def asin(x: Floats) -> Floats:
    inside = np.minimum(np.maximum(x, -1.0), 1.0)
    return atan(_ratio(inside, _root(1.0 - inside * inside)))


def asinh(x: Floats) -> Floats:
    z = np.abs(x)
    value = log(z + np.sqrt(z * z + 1.0))
    return np.where(x < 0, -value, value)


def acosh(x: Floats) -> Floats:
    z = np.maximum(x, 1.0)
    return log(z + _root(z * z - 1.0))


def atanh(x: Floats) -> Floats:
    inside = np.abs(x) < 1.0
    z = np.where(inside, x, 0.0)
    return np.where(inside, 0.5 * log((1.0 + z) / (1.0 - z)), np.where(x < 0, -LARGE, LARGE))


def power(x: Floats, exponent: float) -> Floats:
    """x^exponent; for negative x and an exponent that is no whole number 0."""
    if exponent == 0.0:
        return np.ones_like(x)
    whole = exponent == np.floor(exponent)
    if whole and abs(exponent) <= 64:
        value = np.ones_like(x)
        for _ in range(int(abs(exponent))):
            value = np.minimum(np.maximum(value * x, -LARGE), LARGE)
        return value if exponent > 0 else _ratio(np.ones_like(x), value)
    if exponent == 0.5:
        return _root(x)
    zero = np.zeros_like(x) if exponent > 0 else np.full_like(x, LARGE)
    size = np.where(x == 0, zero, exp(exponent * log(np.where(x == 0, 1.0, np.abs(x)))))
    if not whole:
        return np.where(x < 0, 0.0, size)
    return np.where((x < 0) & (exponent % 2 == 1), -size, size)


def _elu(x: Floats, alpha: float) -> Floats:
    return np.where(x >= 0, x, alpha * (exp(x) - 1.0))


def _gelu_tanh(x: Floats) -> Floats:
    return 0.5 * x * (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


def _hard_sigmoid(x: Floats, alpha: float, beta: float) -> Floats:
    return np.minimum(np.maximum(alpha * x + beta, 0.0), 1.0)


SMOOTH: dict[str, Callable[..., Floats]] = {
    "abs": lambda x: np.asarray(np.abs(x)),
    "acos": lambda x: PI / 2 - asin(x),
    "acosh": acosh,
    "asin": asin,
    "asinh": asinh,
    "atan": atan,
    "atanh": atanh,
    "celu": lambda x, alpha: np.where(x >= 0, x, alpha * (exp(x / alpha) - 1.0)),
    "cos": cos,
    "cosh": lambda x: 0.5 * (exp(x) + exp(-x)),
    "elu": _elu,
    "erf": erf,
    "exp": exp,
    "gelu": lambda x: 0.5 * x * (1.0 + erf(x / SQRT_TWO)),
    "gelu_tanh": _gelu_tanh,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": lambda x: x * _hard_sigmoid(x, 1.0 / 6.0, 0.5),
    "leaky": lambda x, slope: np.where(x >= 0, x, slope * x),
    "log": log,
    "mish": lambda x: x * tanh(softplus(x)),
    "power": power,
    "reciprocal": lambda x: _ratio(np.ones_like(x), x),
    "selu": lambda x, alpha, gamma: gamma * _elu(x, alpha),
    "sigmoid": sigmoid,
    "sin": sin,
    "sinh": lambda x: 0.5 * (exp(x) - exp(-x)),
    "softplus": softplus,
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "sqrt": _root,
    "swish": lambda x, alpha: x * sigmoid(alpha * x),
    "tan": tan,
    "tanh": tanh,
}
"""Functions of an argument and parameters."""


LINEAR_BEYOND = {"celu", "elu", "gelu", "gelu_tanh", "hard_swish", "mish", "selu", "softplus", "swish"}
"""Activations that are nearly 0, a constant or x but for small arguments: greater ones than calibration has seen are no surprise."""


def _round(x: Floats, slack: float) -> Floats:
    """To the nearest integer, halves to the even one."""
    low = np.floor(x)
    over = x - (low + 0.5)
    tie = np.abs(over) <= slack
    return np.where(tie, low + low % 2, np.where(over > 0, low + 1, low))


def _truncate(x: Floats, slack: float) -> Floats:
    return np.where(x < 0, -np.floor(-x + slack), np.floor(x + slack))


def _shrink(x: Floats, slack: float, bias: float, bound: float) -> Floats:
    return np.where(x < -bound - slack, x + bias, np.where(x > bound + slack, x - bias, 0.0))


def _modulo(x: Floats, slack: float, divisor: float) -> Floats:
    """x - floor(x / divisor) divisor: the divisor's sign."""
    return np.asarray(x - np.floor((x + slack * np.sign(divisor)) / divisor) * divisor)


STEPPED: dict[str, Callable[..., Floats]] = {
    "ceil": lambda x, slack: -np.floor(-x + slack),
    "floor": lambda x, slack: np.floor(x + slack),
    "fmod": lambda x, slack, divisor: x - _truncate(x / divisor, slack / abs(divisor)) * divisor,
    "modulo": _modulo,
    "quotient": lambda x, slack, divisor: _truncate(x / divisor, slack / abs(divisor)),
    "quantise": lambda x, slack, scale, zero, low, high: np.clip(_round(x / scale, slack / scale) + zero, low, high),
    "round": _round,
    "shrink": _shrink,
    "thresholded": lambda x, slack, alpha: np.where(x > alpha + slack, x, 0.0),
    "truncate": _truncate,
}
"""Functions with jumps: of an argument, the slack around a jump, and parameters."""


def slack(scale: float) -> float:
    """Half a unit of the argument, at most a quarter: whole numbers stay apart from halves."""
    return min(scale / 2, 0.25) * (1 + 1e-9)


@dataclass(frozen=True, slots=True)
class Saturation:
    """|f(x)| is within half a unit of its limit 1 beyond (bits + offset) * slope."""

    offset: int
    slope: float


SATURATING = {"sigmoid": Saturation(1, 0.6932), "tanh": Saturation(2, 0.3466)}


def saturation(name: str, bits: int) -> float:
    """The argument beyond which a function no longer changes at `bits` bits; infinite for most."""
    found = SATURATING.get(name)
    return (bits + found.offset) * found.slope if found else float("inf")


@lru_cache(maxsize=32)
def table(name: str, parameters: tuple[float, ...], scale: float, reach: int, unit: float, limit: int) -> Sampled:
    """The function's integers at arguments q * scale, -reach <= q <= reach, in units of `unit`, within [-limit, limit]; constant
    beyond."""
    x = np.arange(-reach, reach + 1, dtype=np.int64) * scale
    with np.errstate(over="ignore"):
        if name in STEPPED:
            values = STEPPED[name](x, slack(scale), *parameters)
        else:
            values = SMOOTH[name](x, *parameters)
        units = np.minimum(np.maximum(values / unit, -limit), limit)
    found = np.floor(units + 0.5).astype(np.int64)
    # beyond both ends a table is constant anyway
    moving = np.flatnonzero(found[1:] != found[:-1])
    first, last = (int(moving[0]), int(moving[-1]) + 1) if name == "quantise" and moving.size else (0, len(found) - 1)
    return Sampled(low=first - reach, values=tuple(int(v) for v in found[first : last + 1]))
