"""The exceptions that ciro_zk raises on purpose.

    CiroError                       everything below; `.remedy` says what to do about it
    ├── UnsupportedOperator         the model has nodes that cannot be proven: all of them, listed at once
    ├── ModelError                  the model itself is broken: does not parse, NaN weights, missing external data, dynamic axes
    ├── BoundsError                 the compiler cannot certify a bound that soundness or completeness needs
    ├── InputError                  an input, calibration set or option is wrong: shape, type, NaN, range; also a file that is not there
    ├── FormatError                 bytes that are not what they claim to be
    │   └── ProofFormatError        a malformed, truncated, oversized, foreign or damaged proof, key, circuit or manifest
    ├── ProofRejected               well-formed, but false: the verdict of the verifier, with stage and reason
    ├── AccuracyError               no precision reaches the accuracy asked for
    ├── SettlementError             a call that a contract or the ledger refuses, by its code; the state is unchanged
    └── ResourceError               memory or disk will not do

    AccuracyWarning                 a circuit's accuracy may not be what was measured

A `ProofFormatError` is deliberately no `ProofRejected`: damage is not evidence of cheating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "AccuracyError",
    "AccuracyWarning",
    "BoundsError",
    "CiroError",
    "FormatError",
    "InputError",
    "ModelError",
    "ProofFormatError",
    "ProofRejected",
    "ResourceError",
    "SettlementError",
    "UnsupportedNode",
    "UnsupportedOperator",
]


def _brief(value: object, limit: int = 120) -> str:
    """`repr(value)` on one line, cut to `limit` characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


class CiroError(Exception):
    """Base of all errors of the library.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    remedy : str
        What the reader can do about it; shown by `str()`.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


class AccuracyError(CiroError):
    """No precision reaches the accuracy asked for.

    Parameters
    ----------
    message, remedy
        As in `CiroError`.
    error, agreement : float
        The best that was reached: the greatest error over all outputs relative to their greatest value, and the share of
        equal greatest entries.
    """

    def __init__(self, message: str, *, error: float, agreement: float, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.error = error
        self.agreement = agreement


class AccuracyWarning(UserWarning):
    """A circuit's accuracy may not be what was measured."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)


@dataclass(frozen=True, slots=True)
class UnsupportedNode:
    """One node of a model that cannot be proven."""

    node: str
    """Name of the node, or its output when it has none."""
    op: str
    """ONNX operator type."""
    domain: str
    """Operator domain; empty for the ONNX standard set."""
    opset: int
    """Opset version under which the model uses the operator."""
    reason: str
    """Why it cannot be proven."""
    hint: str = ""
    """What would make it provable, if anything."""

    def __str__(self) -> str:
        domain = f"{self.domain}." if self.domain else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.node}: {domain}{self.op}, opset {self.opset}: {self.reason}{hint}"


class UnsupportedOperator(CiroError):
    """The model has nodes that the compiler does not support; `nodes` lists all of them."""

    def __init__(self, nodes: Sequence[UnsupportedNode], *, file: str = "", remedy: str = "") -> None:
        self.nodes = tuple(nodes)
        self.file = file
        where = f"{file}: " if file else ""
        lines = "".join(f"\n  - {node}" for node in self.nodes)
        count = "1 node is" if len(self.nodes) == 1 else f"{len(self.nodes)} nodes are"
        super().__init__(
            f"{where}{count} not supported:{lines}",
            remedy=remedy or "rewrite the nodes above with supported operators, or leave them outside the proven model",
        )
        self.args = (self.nodes,)


class ModelError(CiroError):
    """The model is broken or incomplete, whatever operators it has.

    Parameters
    ----------
    message : str
        What is wrong.
    file : str
        The model's file, if it has one.
    node : str
        Node, tensor or input concerned, if one is.
    remedy : str
        What to do about it.
    """

    def __init__(self, message: str, *, file: str = "", node: str = "", remedy: str = "") -> None:
        where = ": ".join(part for part in (file, node) if part)
        super().__init__(f"{where}: {message}" if where else message, remedy=remedy)
        self.args = (message,)
        self.file = file
        self.node = node


class BoundsError(CiroError):
    """A bound that the circuit needs cannot be certified at compile time.

    Parameters
    ----------
    message : str
        What is wrong.
    node : str
        Node whose values break the bound.
    bound : object
        The bound, or the value that exceeds it.
    remedy : str
        What to do about it.
    """

    def __init__(self, message: str, *, node: str = "", bound: object = None, remedy: str = "") -> None:
        where = f"{node}: " if node else ""
        what = "" if bound is None else f" (bound {_brief(bound)})"
        super().__init__(f"{where}{message}{what}", remedy=remedy)
        self.args = (message,)
        self.node = node
        self.bound = bound


class InputError(CiroError):
    """An input, calibration sample, option or path given by the user is wrong.

    Parameters
    ----------
    message : str
        What is wrong.
    file : str
        File the data came from, if any.
    field : str
        Name of the input, key or option.
    index : tuple of int or int, optional
        Position of the first offending element.
    value : object, optional
        The offending value.
    remedy : str
        What to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        field: str = "",
        index: tuple[int, ...] | int | None = None,
        value: object = None,
        remedy: str = "",
    ) -> None:
        where = ": ".join(part for part in (file, field) if part)
        at = "" if index is None else f" at index {index}"
        got = "" if value is None else f" (value {_brief(value)})"
        super().__init__(f"{where}: {message}{at}{got}" if where else f"{message}{at}{got}", remedy=remedy)
        self.args = (message,)
        self.file = file
        self.field = field
        self.index = index
        self.value = value


class FormatError(CiroError):
    """Bytes that cannot be read as what they claim to be.

    Parameters
    ----------
    reason : str
        What is wrong with the bytes.
    file : str
        File (or other source) they came from.
    field : str
        Part of the format that is wrong.
    remedy : str
        What to do about it.
    """

    def __init__(self, reason: str, *, file: str = "<bytes>", field: str = "", remedy: str = "") -> None:
        where = ": ".join(part for part in (file, field) if part)
        super().__init__(f"{where}: {reason}" if where else reason, remedy=remedy)
        self.args = (reason,)
        self.file = file
        self.field = field
        self.reason = reason


class ProofFormatError(FormatError):
    """A proof, key, circuit or manifest that is malformed, truncated, oversized, of a foreign version or damaged."""

    def __init__(
        self,
        reason: str,
        *,
        file: str = "<bytes>",
        field: str = "",
        remedy: str = "get the file again from where it was made, or make it again",
    ) -> None:
        super().__init__(reason, file=file, field=field, remedy=remedy)


class ProofRejected(CiroError):
    """The proof is well-formed and false: the statement is not proven by it.

    Parameters
    ----------
    stage : str
        Part of the verifier that rejects: "statement", "sumcheck", "lookup", "commitment", ...
    reason : str
        The check that fails.
    round : int, optional
        Round of the protocol, layer or index within the stage.
    expected, actual : object, optional
        What the check wanted and what it found.
    """

    def __init__(
        self,
        stage: str,
        reason: str,
        round: int | None = None,
        expected: object = None,
        actual: object = None,
        *,
        remedy: str = "",
    ) -> None:
        self.stage = stage
        self.reason = reason
        self.round = round
        self.expected = expected
        self.actual = actual
        at = "" if round is None else f", round {round}"
        facts = [f"{name} {_brief(value)}" for name, value in (("expected", expected), ("actual", actual)) if value is not None]
        tail = f" ({', '.join(facts)})" if facts else ""
        super().__init__(f"proof rejected at {stage}{at}: {reason}{tail}", remedy=remedy)
        self.args = (stage, reason)


class ResourceError(CiroError):
    """Memory or disk space will not do.

    Parameters
    ----------
    message : str
        What is short.
    needed, available : int, optional
        Bytes needed and bytes there are.
    remedy : str
        What to do about it.
    """

    def __init__(self, message: str, *, needed: int | None = None, available: int | None = None, remedy: str = "") -> None:
        facts = [f"{name} {value / 1e6:.0f} MB" for name, value in (("needed", needed), ("available", available)) if value is not None]
        tail = f" ({', '.join(facts)})" if facts else ""
        super().__init__(f"{message}{tail}", remedy=remedy)
        self.args = (message,)
        self.needed = needed
        self.available = available


class SettlementError(CiroError):
    """A call that a contract or the ledger refuses; its state is unchanged.

    Parameters
    ----------
    code : str
        The same on every chain; `ciro_zk.settlement.parameters.CODES` says what it means.
    message, remedy
        As in `CiroError`.
    """

    def __init__(self, code: str, message: str = "", *, remedy: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code, remedy=remedy)
        self.code = code
