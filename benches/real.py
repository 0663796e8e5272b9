"""The third-party models of models/registry.toml on real inputs, and GPT-2 small's shape: compiled, proven, verified, beside onnxruntime.

    python benches/real.py [--json FILE] [NAME ...]

Prints one table, and the accuracy report of every model's outputs; a model that is refused stands there with the reason. Exits with 1
if one is refused, or further from the float model than `MIN_AGREEMENT` or `MIN_COSINE`. Every model runs in a process of its own.
Inputs that no other source was found for are made up, and the table says so: files (magika) and sentences (minilm_l6) of this
repository, spoken text if `espeak-ng` is installed (silero_vad), rendered lines of text if Pillow is (rapidocr_cls). The weights of
gpt2 are random, and so are its token ids.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benches.transformer import gpt  # noqa: E402
from models import fetch  # noqa: E402
from models.minilm_l6 import build  # noqa: E402
from models.minilm_l6.tokens import WordPiece  # noqa: E402

Array = NDArray[Any]
MODELS = ("atspm", "silero_vad", "rapidocr_cls", "magika", "minilm_l6", "gpt2")
GOALS = {"silero_vad": 0.3, "rapidocr_cls": 3.0, "magika": 15.0, "minilm_l6": 10.0, "gpt2": 20.0}
"""Seconds for inference and proof, warm, on two cores."""
VECTORS = {"minilm_l6"}
"""Models whose output is a direction: compared by the least cosine."""
MIN_AGREEMENT, MIN_COSINE = 0.9, 0.999
NUM_CALIBRATION, NUM_COMPARED, NUM_PROOFS = 24, 12, 3
TEXT = "The quick brown fox jumps over the lazy dog. Every step of this detector is proven, one after the other. "
BYTES, PADDING = 1024, 256
TOKENS, VOCABULARY = 32, 50257


@dataclass(frozen=True)
class Inputs:
    """Samples by input name along axis 0, and where they come from."""

    samples: dict[str, Array]
    source: str
    state: dict[str, str] = field(default_factory=dict)
    """New state by state, for a model of steps: samples are then consecutive steps."""
    ranges: dict[str, tuple[float, float]] | None = None
    """Declared ranges, where they are known."""


def traffic() -> Inputs:
    """atspm: detector counts are not public; signals of its shape."""
    rng = np.random.default_rng(0)
    rate = rng.random((NUM_CALIBRATION + NUM_COMPARED, 15, 1)) * 2
    values = rng.poisson(rate, (len(rate), 15, 64)).astype(np.float32)
    return Inputs({"x": values}, "made up: Poisson counts")


def speech() -> Inputs:
    """silero_vad: windows of 512 samples at 16 kHz with 64 of context, and the float model's states."""
    import onnxruntime

    signal, source = _voice()
    session = onnxruntime.InferenceSession(str(fetch.fetch("silero_vad")), providers=["CPUExecutionProvider"])
    h = c = np.zeros((1, 1, 128), dtype=np.float32)
    found: dict[str, list[Array]] = {"input": [], "h": [], "c": []}
    for start in range(0, min(len(signal) - 576, 512 * 96), 512):
        feeds = {"input": signal[start : start + 576][None], "h": h, "c": c}
        for name, value in feeds.items():
            found[name].append(value[0] if name == "input" else value.reshape(1, 1, 128)[0])
        _, h, c = session.run(None, feeds)
    return Inputs({name: np.stack(values) for name, values in found.items()}, source, {"h": "hn", "c": "cn"})


def _voice() -> tuple[Array, str]:
    """(signal, source)."""
    tool = shutil.which("espeak-ng")
    noise = np.random.default_rng(0)
    if tool is None:
        t = np.arange(16000 * 4) / 16000
        tone = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 12)) * (np.sin(2 * np.pi * 3 * t) > 0)
        return (0.1 * tone + 1e-3 * noise.standard_normal(t.size)).astype(np.float32), "made up: a buzz, on and off"
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run([tool, "-w", file.name, TEXT], check=True)
        with wave.open(file.name) as reader:
            rate = reader.getframerate()
            data = np.frombuffer(reader.readframes(reader.getnframes()), dtype="<i2") / 32768
    signal = np.interp(np.arange(int(len(data) * 16000 / rate)) * rate / 16000, np.arange(len(data)), data)
    padded = np.concatenate([np.zeros(4000), signal, np.zeros(4000)])
    return (padded + 1e-4 * noise.standard_normal(padded.size)).astype(np.float32), "espeak-ng"


def lines() -> Inputs:
    """rapidocr_cls: lines of text, some of them upside down, 48 by 192."""
    rng = np.random.default_rng(0)
    count = NUM_CALIBRATION + NUM_COMPARED
    images = np.ones((count, 48, 192), dtype=np.float32)
    try:
        from PIL import Image, ImageDraw, ImageFont

        font = ImageFont.load_default(size=30)
        words = TEXT.split()
        for i in range(count):
            image = Image.new("L", (192, 48), 255)
            ImageDraw.Draw(image).text((4, 6), " ".join(words[i % len(words) :][:3]), fill=int(rng.integers(0, 90)), font=font)
            images[i] = np.asarray(image, dtype=np.float32) / 255
        source = "Pillow: lines of text, every other one upside down"
    except ImportError:
        images -= (rng.random(images.shape) < 0.2) * 0.9
        source = "made up: dots (Pillow is not installed)"
    images[1::2] = images[1::2, ::-1, ::-1]
    return Inputs({"x": np.repeat((images[:, None] - 0.5) / 0.5, 3, axis=1).astype(np.float32)}, source)


def files() -> Inputs:
    """magika: the first and last 1024 bytes of files, as its own package extracts them."""
    paths = sorted(p for p in ROOT.rglob("*") if p.is_file() and not set(p.parts) & {".git", ".venv", "build"} and p.stat().st_size > 64)
    rng = np.random.default_rng(0)
    picked = [paths[i] for i in rng.permutation(len(paths))[: NUM_CALIBRATION + NUM_COMPARED]]
    rows = []
    for path in picked:
        content = path.read_bytes().strip()
        first, last = list(content[:BYTES]), list(content[-BYTES:])
        rows.append([*first, *[PADDING] * (BYTES - len(first)), *[PADDING] * (BYTES - len(last)), *last])
    return Inputs({"bytes": np.array(rows, dtype=np.int32)}, "files of this repository")


def sentences() -> Inputs:
    """minilm_l6: sentences of the documentation, as ids of 128 tokens."""
    text = " ".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
    found = [" ".join(match.split()) for match in re.findall(r"[A-Z][a-z]+ [^|`$<>#*\[\]{}]{30,400}?[.?!](?=\s)", text)]
    picked = np.random.default_rng(0).permutation(len(found))[: NUM_CALIBRATION + NUM_COMPARED]
    tokeniser = WordPiece(fetch.fetch("minilm_l6_vocabulary"))
    ranges = {"input_ids": (0.0, len(tokeniser.ids) - 1.0), "attention_mask": (0.0, 1.0)}
    return Inputs(tokeniser([found[i] for i in picked]), "sentences of this repository", ranges=ranges)


def tokens() -> Inputs:
    """gpt2: any ids of the vocabulary."""
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (NUM_CALIBRATION + NUM_COMPARED, TOKENS))
    return Inputs({"ids": ids}, "random ids, random weights", ranges={"ids": (0, VOCABULARY - 1)})


INPUTS = {"atspm": traffic, "silero_vad": speech, "rapidocr_cls": lines, "magika": files, "minilm_l6": sentences, "gpt2": tokens}


def model_file(name: str, folder: Path) -> tuple[str, str, dict[str, Any] | None]:
    """(path, version, shapes): of the registry, or built in `folder`."""
    if name != "gpt2":
        entry = fetch.registry()[name]
        path = build.build() if name == build.NAME else fetch.fetch(name)
        return str(path), f"{entry.package} {entry.version}", entry.shapes
    path = folder / "gpt2.onnx"
    onnx.save(gpt(tokens=TOKENS, vocabulary=VOCABULARY), path)
    return str(path), "GPT-2 small's shape", None


def measure(name: str) -> dict[str, Any]:
    """Figures of one model."""
    with tempfile.TemporaryDirectory(prefix="ciro_zk-real-") as folder:
        return _measure(name, Path(folder))


def _measure(name: str, folder: Path) -> dict[str, Any]:
    import onnxruntime

    import ciro_zk as cz

    path, version, shapes = model_file(name, folder)
    given = INPUTS[name]()
    result: dict[str, Any] = {
        "model": name,
        "version": version,
        "inputs": given.source,
        "goal_seconds": GOALS.get(name),
    }
    calibration = given.samples if given.state else {k: v[:NUM_CALIBRATION] for k, v in given.samples.items()}
    start = time.perf_counter()
    try:
        circuit = cz.compile(path, calibration, shapes=shapes, state=given.state or None, input_range=given.ranges)
    except cz.CiroError as error:
        return result | {"refused": str(error)}
    result["compile_seconds"] = time.perf_counter() - start
    start = time.perf_counter()
    pk, vk = cz.setup(circuit, directory=folder if name == "gpt2" else None)
    result["setup_seconds"] = time.perf_counter() - start
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ports = circuit.graph.outputs
    result["accuracy"] = dict(circuit.report().errors())
    rows = slice(0, NUM_COMPARED) if given.state else slice(NUM_CALIBRATION, NUM_CALIBRATION + NUM_COMPARED)
    feeds = [{k: v[i][None] for k, v in given.samples.items()} for i in range(*rows.indices(len(next(iter(given.samples.values())))))]
    errors, peaks, same, cosines = [], [], [], []
    for feed in feeds:
        run = cz.infer(circuit, feed)
        wanted = session.run([port.name for port in ports], feed)
        found, expected = run.outputs[ports[0].name].reshape(-1), np.asarray(wanted[0], dtype=np.float64).reshape(-1)
        errors.append(float(np.abs(found - expected).max()))
        peaks.append(float(np.abs(expected).max()))
        same.append(bool(found.argmax() == expected.argmax()) if expected.size > 1 else bool((found[0] > 0.5) == (expected[0] > 0.5)))
        cosines.append(float(found @ expected / max(np.linalg.norm(found) * np.linalg.norm(expected), 1e-12)))
    result |= {"max_abs_error": max(errors), "max_abs": max(peaks), "agreement": float(np.mean(same)), "min_cosine": min(cosines)}
    result["compared"] = len(feeds)
    seconds, proofs = [], []
    state = {k: np.asarray(feeds[0][k], dtype=np.float64) for k in given.state}
    for i in range(NUM_PROOFS + 1):
        feed = {**feeds[i % len(feeds)], **state}
        start = time.perf_counter()
        run = cz.infer(pk, feed)
        proofs.append(cz.prove(pk, run, directory=folder if name == "gpt2" else None))
        seconds.append(time.perf_counter() - start)
        state = {k: run.outputs[v] for k, v in given.state.items()}
    result |= {"first_proof_seconds": seconds[0], "proof_seconds": float(np.median(seconds[1:])), "proof_bytes": len(bytes(proofs[-1]))}
    start = time.perf_counter()
    cz.verify(vk, proofs[-1])
    result["verify_seconds"] = time.perf_counter() - start
    if given.state:
        cz.verify_chain(vk, proofs, state=given.state, initial={k: feeds[0][k] for k in given.state})
        result["chain"] = len(proofs)
    result["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return result


def falls_short(figures: dict[str, Any]) -> bool:
    """Whether a model is refused, or decides otherwise than the float model too often."""
    if "refused" in figures:
        return True
    return bool(figures["min_cosine"] < MIN_COSINE if figures["model"] in VECTORS else figures["agreement"] < MIN_AGREEMENT)


def reports(rows: list[dict[str, Any]]) -> str:
    """What `Circuit.report()` says of the outputs' errors, model by model."""
    return "\n".join(f"{r['version']}, {name}: {text}" for r in rows for name, text in r.get("accuracy", {}).items())


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    head = ["model", "compile", "prove (goal)", "verify", "proof", "memory", "error of", "agreement", "inputs"]
    found = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for r in rows:
        if "refused" in r:
            found.append(f"| {r['model']} | refused: {' '.join(r['refused'].split())[:300]} |{' |' * (len(head) - 2)}")
            continue
        goal = f" ({r['goal_seconds']:g} s)" if r["goal_seconds"] else ""
        cells = [
            r["version"],
            f"{r['compile_seconds']:.1f} s",
            f"{r['proof_seconds']:.2f} s{goal}",
            f"{r['verify_seconds']:.2f} s",
            f"{r['proof_bytes'] / 1e3:.0f} kB",
            f"{r['peak_rss_mb'] / 1e3:.1f} GB",
            f"{r['max_abs_error']:.3g} of {r['max_abs']:.3g}",
            f"cosine {r['min_cosine']:.4f} of {r['compared']}" if r["model"] in VECTORS else f"{r['agreement']:.0%} of {r['compared']}",
            r["inputs"],
        ]
        found.append(f"| {' | '.join(cells)} |")
    return "\n".join(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("names", nargs="*", help=", ".join(MODELS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help="measure one model in this process, print JSON")
    arguments = parser.parse_args()
    names = arguments.names or list(MODELS)
    if unknown := [name for name in names if name not in INPUTS]:
        parser.error(f"no such model: {', '.join(unknown)}")
    if arguments.one:
        print(json.dumps(measure(names[0])))
        return 0
    rows = []
    for name in names:
        done = subprocess.run([sys.executable, __file__, "--one", name], stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{name}: done", file=sys.stderr)
    print(table(rows), reports(rows), sep="\n\n")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    return int(any(map(falls_short, rows)))


if __name__ == "__main__":
    raise SystemExit(main())
