"""Import this before `starkware`: it lets cairo-lang 0.13.3 load on Python 3.11+ and run Sierra 1.7 classes.

cairo-lang's dataclass defaults have no __hash__, which 3.11 refuses. Set SIERRA_COMPILE to a newer starknet-sierra-compile.
"""

import dataclasses
import os

_process_class = dataclasses._process_class


def _hashable(cls, *args, **kwargs):
    made = _process_class(cls, *args, **kwargs)
    if made.__module__.startswith(("starkware", "services")) and made.__hash__ is None:
        made.__hash__ = object.__hash__
    return made


dataclasses._process_class = _hashable

if os.environ.get("SIERRA_COMPILE"):
    import starkware.starknet.compiler.v1.compile as _compile

    _compile.STARKNET_SIERRA_COMPILE_EXE = os.environ["SIERRA_COMPILE"]
