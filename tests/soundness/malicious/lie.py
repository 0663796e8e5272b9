"""What a malicious prover forges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from soundness.malicious.runs import Cells

Occurrence = tuple[str, int | None]


@dataclass(frozen=True, kw_only=True)
class Repair:
    """A folded message that meets a false claim, at one level of the opening."""

    level: int = 0
    block: int = 0
    """The oracle (at level 0) whose fold is changed."""
    columns: bool = False
    """The opened columns are changed to agree with it."""
    forget: bool = False
    """The columns' claims are left out, for a verifier that forgets them."""


@dataclass
class Lie:
    """What a `Malicious` prover forges; every field's default is honesty."""

    messages: dict[Occurrence, Callable[[bytes], bytes]] = field(default_factory=dict)
    """By label and occurrence (None: every one): the message sent, and absorbed, instead."""
    cells: Callable[[dict[int, Cells]], None] | None = None
    """Edits the witness' cells and multiplicities in place before anything is committed."""
    count: bool = True
    """Multiplicities are counted after `cells` edited the tensors (it may edit multiplicities itself if False)."""
    padding: np.random.Generator | None = None
    """Fills the cells of the witness oracle that belong to no tensor with random values."""
    codewords: Callable[[Cells], Cells] | None = None
    """Edits the witness oracle's codewords before they are hashed."""
    leaves: Callable[[Any, Any, Any], None] | None = None
    """(proving, numerators, denominators): edits the lookup argument's fractions in place."""
    layers: int = 0
    """The first so many layers of the lookup argument are sent with values that meet the false claim."""
    repair_products: bool = False
    """Chooses a factor value so that the products' final check holds."""
    omit: set[int] = field(default_factory=set)
    """Leaves the claims of these numbers out of the opening, for a verifier that forgets them."""
    repair_opening: Repair | None = None
    """Chooses a folded message so that the opening's final check holds."""
    second_witness: np.random.Generator | None = None
    """The witness oracle's word is as close to a second message, of random padding, and the sample is that one's."""
    second_fold: np.random.Generator | None = None
    """The words of all folded roots are as close to a second, random message, the samples are that one's and left out of the claim."""
