"""Security presets: what a proof is required to reach, from which query counts and proof-of-work bits are derived per circuit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The security settings of a proof."""

    name: str
    """Named in the statement; a proof made under another preset is another statement."""
    target_bits: int
    """The summed soundness error is at most 2^-target_bits, grinding counted."""
    log_blowup: int
    """The code's rate is 2^-log_blowup."""
    query_grinding_bits: int
    """Proof-of-work bits before each level's query positions are drawn."""
    lookup_grinding_bits: int
    """Proof-of-work bits before the lookup challenges are drawn, at least; a large circuit has more (`lookup_grinding`)."""
    max_multiplicity: int = 0
    """Oracles are decoded to lists, of this multiplicity at most (`ciro_zk.commitment.proximity`); 0: unique decoding throughout."""
    max_fold_grinding_bits: int = 0
    """Proof-of-work bits before each challenge that folds rows, at most."""

    @property
    def is_sampled(self) -> bool:
        """Oracles are sampled out of their domain, the weights in the verifying key: what list decoding needs."""
        return self.max_multiplicity > 0


TESTING = Preset(name="testing", target_bits=20, log_blowup=2, query_grinding_bits=4, lookup_grinding_bits=2)
STANDARD = Preset(name="standard", target_bits=100, log_blowup=2, query_grinding_bits=18, lookup_grinding_bits=0)
CONSERVATIVE = Preset(name="conservative", target_bits=105, log_blowup=2, query_grinding_bits=0, lookup_grinding_bits=12)
JOHNSON = Preset(
    name="johnson",
    target_bits=100,
    log_blowup=3,
    query_grinding_bits=23,
    lookup_grinding_bits=0,
    max_multiplicity=16,
    max_fold_grinding_bits=22,
)

PRESETS = {preset.name: preset for preset in (TESTING, STANDARD, CONSERVATIVE, JOHNSON)}
