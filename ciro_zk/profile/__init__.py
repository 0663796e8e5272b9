"""Where a proof's time goes: every kernel call counted and timed, beside what the same work would take at the kernels' own rates.

`profile_prove` proves and returns the proof with a `Profile`; `counts` gives the same counts from the program alone, by formula.
"""

from __future__ import annotations

from ciro_zk.profile.formulas import Drawn, counts
from ciro_zk.profile.measure import profile_prove
from ciro_zk.profile.report import Profile
from ciro_zk.profile.work import Work

__all__ = ["Drawn", "Profile", "Work", "counts", "profile_prove"]
