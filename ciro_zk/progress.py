"""Progress: one callback type for every long operation of the library.

An operation calls `progress(Step(...))` from the thread that was called, a few times per second at most; it never needs an answer.
Without a callback nothing is shown. An exception raised by the callback (such as KeyboardInterrupt) ends the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Step", "silent"]


@dataclass(frozen=True, slots=True)
class Step:
    """Where an operation stands."""

    stage: str
    """What is being done, in a few words: "commit to the witness"."""
    done: int = 0
    """Units of work done in this stage."""
    total: int = 0
    """Units of work in this stage; 0 when it cannot be known."""


Progress = Callable[[Step], None]
"""Receives each step of a long operation."""


def silent(step: Step) -> None:
    """The callback that shows nothing."""
