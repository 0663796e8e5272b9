"""The verification of `verification.md`, sections 1 to 4, 8 and 10, in plain integers and hashlib: a second implementation, which the
vectors hold together with the library's. Nothing of the library is imported. Slow; for small proofs.

It takes the plan (sections 5 to 7: tensors, lookups, segments, layouts, opening levels) from the vectors, as a verifier may that pins
a key.
"""

from verifier.spec.reference.statement import parameters, verify
from verifier.spec.reference.transcript import Refused

__all__ = ["Refused", "parameters", "verify"]
