"""Compiles the contracts into ciro_zk/settlement/artifacts/: `python settlement/starknet/build.py [NAME ...]`, all by default.

An artefact is NAME.json.gz, canonical JSON (sorted keys, no spaces) under gzip without a time: the contract's name, the compiler's version,
the Sierra class with its ABI, the CASM with its felts counted, and both class hashes. The same sources give the same bytes.

The compiler and the VM's environment, which computes the class hashes, are made by `make starknet`. Outputs are kept under
build/starknet, by the digest of the sources and of the compiler, so that nothing is compiled twice.
"""

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ARTIFACTS = ROOT / "ciro_zk" / "settlement" / "artifacts"
COMPILER = ROOT / "build" / "cairo" / "bin"
MACHINE_PYTHON = ROOT / ".venv-starknet" / "bin" / "machine-python"
MACHINE = ROOT / "tools" / "starknet" / "machine.py"
CACHE = ROOT / "build" / "starknet"
CONTRACTS = HERE / "src"
PROBES = HERE / "probes" / "src"  # contracts of the tests
MOST_FELTS = 25_000  # of CASM in one class; the network's cap is 81,920

_MODULE = re.compile(r"#\[starknet::contract\]\s*(?:pub )?mod (\w+)")


class BuildError(Exception):
    """A contract does not compile, or the tools are not there."""


def missing() -> str | None:
    """What a build needs and is not there, with the remedy; None when all is."""
    for path in (COMPILER / "starknet-compile", MACHINE_PYTHON):
        if not path.exists():
            return f"{path.relative_to(ROOT)} is not there: run `make starknet` (it needs npm and pip, and a package registry)"
    return None


def contracts(folder: Path = CONTRACTS) -> dict[str, str]:
    """Each file of `folder` that holds a contract, by name, and its contract module."""
    found = {path.stem: _MODULE.search(path.read_text()) for path in sorted(folder.glob("*.cairo"))}
    return {name: match[1] for name, match in found.items() if match}


def compiled(name: str, folder: Path = CONTRACTS) -> Path:
    """The artefact of one contract, made unless it is there. `folder` is the source folder of a crate beside its cairo_project.toml.

    Raises
    ------
    BuildError
        With the compiler's message.
    """
    if problem := missing():
        raise BuildError(problem)
    crate = re.search(r"\[crate_roots\]\s*(\w+)", (folder.parent / "cairo_project.toml").read_text())
    if crate is None or name not in contracts(folder):
        raise BuildError(f"there is no contract {name!r} in {folder}: {', '.join(contracts(folder))}")
    module = contracts(folder)[name]
    kept = CACHE / f"{name}-{_digest(name, folder)}.json.gz"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        sierra, casm = kept.with_suffix(".sierra"), kept.with_suffix(".casm")
        _run(COMPILER / "starknet-compile", "-c", f"{crate[1]}::{name}::{module}", folder.parent, sierra)
        _run(COMPILER / "starknet-sierra-compile", "--add-pythonic-hints", sierra, casm)
        class_hash, compiled_class_hash = _machine({"do": "class_hashes", "sierra": str(sierra), "casm": str(casm)})
        classes = json.loads(sierra.read_text())
        # The network keeps and hashes the ABI as this text.
        classes["abi"] = json.dumps(classes["abi"], separators=(", ", ": "))
        content = {
            "contract": module,
            "compiler": _run(COMPILER / "starknet-compile", "--version").split()[-1],
            "class_hash": f"{class_hash:#066x}",
            "compiled_class_hash": f"{compiled_class_hash:#066x}",
            "sierra": {key: value for key, value in classes.items() if key != "sierra_program_debug_info"},
            "casm": json.loads(casm.read_text()),
        }
        content["casm_felts"] = len(content["casm"]["bytecode"])
        sierra.unlink()
        casm.unlink()
        unfinished = kept.with_suffix(".tmp")
        unfinished.write_bytes(encode(content))
        unfinished.replace(kept)
    return kept


def encode(content: dict[str, Any]) -> bytes:
    """The artefact's bytes."""
    return gzip.compress(json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), mtime=0)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return content


def _digest(name: str, folder: Path) -> str:
    digest = hashlib.sha256((COMPILER / "starknet-compile").read_bytes())
    for source in sorted({*folder.glob("**/*.cairo"), *CONTRACTS.glob("**/*.cairo")}):
        # Other contracts do not enter this one; the files that they share do.
        if source.parent != folder or source.stem == name or source.stem not in contracts(folder):
            digest.update(f"{source.relative_to(ROOT)}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:32]


def _run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(done.stdout + done.stderr)
    return done.stdout


def _machine(request: dict[str, object]) -> Any:
    done = subprocess.run([MACHINE_PYTHON, MACHINE], input=json.dumps(request) + "\n", capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or json.dumps({"error": done.stderr}))
    if "error" in answer:
        raise BuildError(answer["error"])
    return answer["ok"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="contracts; all by default")
    names = parser.parse_args(arguments).names or list(contracts())
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    try:
        with ThreadPoolExecutor(2) as pool:
            for name, path in zip(names, pool.map(compiled, names), strict=True):
                (ARTIFACTS / f"{name}.json.gz").write_bytes(path.read_bytes())
                content = load(path)
                print(f"{name:12} {content['contract']:20} {content['casm_felts']:6} felts  {content['class_hash']}")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
