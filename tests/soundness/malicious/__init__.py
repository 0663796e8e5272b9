"""The malicious prover, and the proofs and keys that it makes."""

from soundness.malicious.keys import accepted, forgotten_registrations, kernels, keys
from soundness.malicious.lie import Lie, Repair
from soundness.malicious.opening import elements
from soundness.malicious.proofs import Claimed, forge, forged_registration, honest, inputs_of, leaves_of, outputs_of, proving_of
from soundness.malicious.prover import Malicious
from soundness.malicious.runs import as_cells, fraction, run_field, run_graph, signed
from soundness.malicious.transcript import MaliciousTranscript
from soundness.malicious.twins import with_op, with_table
from soundness.malicious.words import commit_cells, filled, mixed, random_cells

__all__ = [
    "Claimed", "Lie", "Malicious", "MaliciousTranscript", "Repair", "accepted", "as_cells", "commit_cells", "elements", "filled", "forge",
    "forged_registration", "forgotten_registrations", "fraction", "honest", "inputs_of", "kernels", "keys", "leaves_of", "mixed",
    "outputs_of", "proving_of", "random_cells", "run_field", "run_graph", "signed", "with_op", "with_table",
]  # fmt: skip
