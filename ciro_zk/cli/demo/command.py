"""`ciro-zk demo`: the main job from end to end, on a real digit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciro_zk.cli.options import Json, Threads
from ciro_zk.cli.report import Stopwatch, bytes_text, peak_rss_mb, rounded, seconds_text
from ciro_zk.cli.session import Session, session, write_json
from ciro_zk.cli.summary import program_facts
from ciro_zk.errors import InputError

if TYPE_CHECKING:
    from ciro_zk.cli.demo.tamper import Rejection


def demo_command(
    digit: Annotated[int, typer.Option("--digit", min=0, help="Which of the sample digits to prove.")] = 0,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Compile LeNet-5, prove a real MNIST digit, verify it, show what is rejected, and what becomes of the money."""
    with session(json) as out:
        fields = _demo(out, digit, threads)
        out.say()
        write_json(fields)


def _demo(out: Session, digit: int, threads: int | None) -> dict[str, Any]:
    import ciro_zk
    from ciro_zk.cli.demo.assets import find_folder, load_assets, swapped_model
    from ciro_zk.cli.demo.money import settle
    from ciro_zk.cli.demo.tamper import attempt, tamperings
    from ciro_zk.kernels import warm

    whole = Stopwatch()
    assets = load_assets(find_folder())
    if digit >= len(assets.images):
        raise InputError(f"there are {len(assets.images)} digits", field="--digit", remedy=f"give 0 to {len(assets.images) - 1}")
    image, label = assets.images[digit : digit + 1], int(assets.labels[digit])
    other = assets.images[[number for number, name in enumerate(assets.labels.tolist()) if name != label][:1]]
    _show_digit(out, image[0, 0], label)

    with out.progress() as progress:
        times = {"kernels_seconds": warm()}
        out.say(f"kernels  {seconds_text(times['kernels_seconds'])}: loaded; compiled first where they were not cached yet")
        watch = Stopwatch()
        circuit = ciro_zk.compile(str(assets.model), assets.calibration, progress=progress)
        times["compile_seconds"] = watch.seconds
        facts = program_facts(circuit.program)
        size = f"{facts['operators']} operators, {facts['weights']} weights, {circuit.bits} bits"
        out.say(f"compile  {seconds_text(times['compile_seconds'])}: {assets.model.name}, {size}")

        watch = Stopwatch()
        proving_key, verifying_key = ciro_zk.setup(circuit, threads=threads, progress=progress)
        times["setup_seconds"] = watch.seconds
        sizes = f"proving key {bytes_text(len(bytes(proving_key)))}, verifying key {bytes_text(len(bytes(verifying_key)))}"
        out.say(f"setup    {seconds_text(times['setup_seconds'])}: {sizes} (no weights in it)")

        watch = Stopwatch()
        run = ciro_zk.infer(proving_key, image)
        proof = ciro_zk.prove(proving_key, run, threads=threads, progress=progress)
        times["prove_seconds"] = watch.seconds
        data = bytes(proof)
        out.say(f"prove    {seconds_text(times['prove_seconds'])}: {bytes_text(len(data))}, {peak_rss_mb():.0f} MB of memory at most")

    watch = Stopwatch()
    verified = ciro_zk.verify(verifying_key, ciro_zk.Proof.from_bytes(data), inputs=image)
    times["verify_seconds"] = watch.seconds
    logits = next(iter(verified.outputs.values()))
    predicted = int(logits.argmax())
    bits = verified.security.summed_bits
    out.say(f"verify   {seconds_text(times['verify_seconds'])}: VERIFIED with {bits:.0f} bits of security")
    out.say(f"         the registered model says {predicted}; the label is {label}")
    out.say()

    def swapped() -> bytes:
        key, _ = ciro_zk.setup(ciro_zk.compile(swapped_model(assets.model), assets.calibration), threads=threads)
        return bytes(ciro_zk.prove(key, ciro_zk.infer(key, image), threads=threads))

    rejections = [attempt(tampering) for tampering in tamperings(verifying_key, data, image=image, other=other, of_swapped_model=swapped)]
    _show_rejections(out, rejections)
    out.say()
    images = [assets.images[number : number + 1] for number in range(3)]
    settlement = settle(
        out, verifying_key, images, lambda x: bytes(ciro_zk.prove(proving_key, ciro_zk.infer(proving_key, x), threads=threads))
    )
    return {
        "verified": True,
        "outputs": verified.outputs,
        "label": label,
        "predicted": predicted,
        "rejected": [{"tampering": item.tampering, "stage": item.stage, "reason": item.reason} for item in rejections],
        "settlement": settlement,
        "seconds": rounded(whole.seconds),
        **{name: rounded(value) for name, value in times.items()},
        "bytes": len(data),
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "security_bits": bits,
        "device": run.device,
    }


def _show_digit(out: Session, image: Any, label: int) -> None:
    from ciro_zk.cli.demo.art import cropped, draw

    out.say(f"A digit of MNIST, labelled {label}:")
    for line in cropped(draw(image, unicode=(sys.stdout.encoding or "").lower().startswith("utf"))):
        out.say(f"    {line}")
    out.say()


def _show_rejections(out: Session, rejections: list[Rejection]) -> None:
    for item in rejections:
        out.say(f"REJECTED {item.tampering}")
        out.say(f"         at {item.stage}: {item.reason}")
