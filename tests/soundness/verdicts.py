"""What the verifier says: which check a lie ran into."""

from __future__ import annotations

from collections.abc import Callable

from ciro_zk.errors import ProofFormatError, ProofRejected

LOOKUP = ("lookup", "a layer's fractions do not add up to the claim")
PRODUCTS = ("products", "the factors' values do not meet the sumcheck's claim")
OPENING = ("opening", "the linear forms at the final point do not meet the sumcheck's claim")


def verdict(attempt: Callable[[], object]) -> tuple[str, str]:
    """(stage, reason) of a rejection; ("format", reason) of bytes that are no proof."""
    try:
        attempt()
    except ProofRejected as rejected:
        return rejected.stage, rejected.reason
    except ProofFormatError as malformed:
        return "format", malformed.reason
    return "accepted", ""
