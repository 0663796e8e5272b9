"""ciro_zk: proofs that an ONNX model produced an output (sumcheck, LogUp, Ligero; not zero-knowledge yet).

    circuit = compile("lenet5.onnx", calibration=images)
    pk, vk = setup(circuit)
    run = infer(pk, image)
    proof = prove(pk, run)
    verified = verify(vk, proof, inputs=image)

Everything here loads on first use (PEP 562): `import ciro_zk` itself imports neither numpy nor numba, onnx or onnxruntime.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ciro_zk.chain import verify_chain
    from ciro_zk.compiler import compile
    from ciro_zk.errors import (
        AccuracyError,
        AccuracyWarning,
        BoundsError,
        CiroError,
        FormatError,
        InputError,
        ModelError,
        ProofFormatError,
        ProofRejected,
        ResourceError,
        UnsupportedNode,
        UnsupportedOperator,
    )
    from ciro_zk.many import prove_many
    from ciro_zk.program.circuit import Circuit
    from ciro_zk.program.keys import ProvingKey, VerifyingKey
    from ciro_zk.proof import Proof
    from ciro_zk.prover import prove, setup
    from ciro_zk.verifier import Verified, verify
    from ciro_zk.witness import Run, infer

__version__ = "0.1.0"

_HOMES = {
    "ciro_zk.chain": ("verify_chain",),
    "ciro_zk.program.circuit": ("Circuit",),
    "ciro_zk.program.keys": ("ProvingKey", "VerifyingKey"),
    "ciro_zk.compiler": ("compile",),
    "ciro_zk.errors": (
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
        "UnsupportedNode",
        "UnsupportedOperator",
    ),
    "ciro_zk.many": ("prove_many",),
    "ciro_zk.proof": ("Proof",),
    "ciro_zk.prover": ("prove", "setup"),
    "ciro_zk.verifier": ("Verified", "verify"),
    "ciro_zk.witness": ("Run", "infer"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AccuracyError",
    "AccuracyWarning",
    "BoundsError",
    "Circuit",
    "CiroError",
    "FormatError",
    "InputError",
    "ModelError",
    "Proof",
    "ProofFormatError",
    "ProofRejected",
    "ProvingKey",
    "ResourceError",
    "Run",
    "UnsupportedNode",
    "UnsupportedOperator",
    "Verified",
    "VerifyingKey",
    "compile",
    "infer",
    "prove",
    "prove_many",
    "setup",
    "verify",
    "verify_chain",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
