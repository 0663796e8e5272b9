"""The witness runtime: a circuit's integer semantics on numpy."""

from ciro_zk.witness.run import Run, infer

__all__ = ["Run", "infer"]
