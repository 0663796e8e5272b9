"""The folder that holds the compiled kernels.

Numba caches a function by the time stamp of its own file and does not notice that a function it calls has changed. The folder's name
therefore holds a digest of all kernel sources (every file named kernels.py of the package), of the versions of Numba and llvmlite, and of
the processor: whatever changes, the kernels are compiled anew, into another folder. It lies in the user's cache folder, never beside the
sources, so that a read-only installation works.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

CODEWORDS = "codewords"
"""The folder, beside the kernels', for the codewords of large weights."""
_COMPLETE = "complete"


def _candidates() -> list[Path]:
    """Where the cache folders may be, best first."""
    user = os.environ.get("XDG_CACHE_HOME")
    home = Path(user) if user and Path(user).is_absolute() else Path(os.path.expanduser("~")) / ".cache"
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    return [home / "ciro_zk", Path(tempfile.gettempdir()) / f"ciro_zk-{owner}"]


def _usable(folder: Path) -> bool:
    """Whether the folder is ours and can be written: what lies in it is loaded as machine code."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            return False
        with tempfile.NamedTemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def digest() -> str:
    """A digest of all kernel sources, the compiler's versions and the processor, 16 hexadecimal digits."""
    import llvmlite
    import numba
    from llvmlite import binding

    package = Path(__file__).resolve().parent
    state = hashlib.blake2s()
    for path in sorted(package.rglob("kernels.py")):
        for item in (path.relative_to(package).as_posix().encode(), path.read_bytes()):
            state.update(len(item).to_bytes(8, "little") + item)
    name = numba.config.CPU_NAME or binding.get_host_cpu_name()  # type: ignore[attr-defined]
    features = numba.config.CPU_FEATURES or binding.get_host_cpu_features().flatten()  # type: ignore[attr-defined]
    state.update(repr((numba.__version__, llvmlite.__version__, sys.version_info[:2], name, features)).encode())
    return state.hexdigest()[:16]


def root() -> Path:
    """The user's cache folder of this library, made if need be; a fresh temporary folder where no place can be written."""
    return next((folder for folder in _candidates() if _usable(folder)), None) or Path(tempfile.mkdtemp(prefix="ciro_zk-"))


@lru_cache(maxsize=1)
def cache_dir() -> Path:
    """The folder of this version's kernels on this processor, made if need be; a fresh temporary folder where no place can be written."""
    folder = root() / f"kernels-{digest()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def install() -> Path:
    """Make Numba cache in `cache_dir()`, which it returns; must run before any kernel module is imported."""
    import numba

    numba.config.CACHE_DIR = str(cache_dir())  # type: ignore[attr-defined]
    return cache_dir()


def is_complete() -> bool:
    """Whether every kernel of this version has been compiled for this processor."""
    return (cache_dir() / _COMPLETE).exists()


def mark_complete() -> None:
    """Record that every kernel is in the folder."""
    (cache_dir() / _COMPLETE).touch()


def size() -> int:
    """Bytes in the kernel folders of all versions, and of codewords."""
    return sum(file.stat().st_size for folder in _folders() for file in folder.rglob("*") if file.is_file())


def clear() -> int:
    """Remove the kernel folders of all versions, and that of codewords; returns how many there were."""
    folders = _folders()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    cache_dir.cache_clear()
    return len(folders)


def _folders() -> list[Path]:
    roots = [root for root in _candidates() if root.is_dir()]
    return [folder for root in roots for folder in (*sorted(root.glob("kernels-*")), root / CODEWORDS) if folder.is_dir()]
