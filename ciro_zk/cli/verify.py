"""`ciro-zk verify`: the verdict on a proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ciro_zk.cli.options import Index, Json
from ciro_zk.cli.report import Stopwatch, process_seconds, rounded, seconds_text
from ciro_zk.cli.session import ExitCode, session


def verify_command(
    verifying_key: Annotated[Path, typer.Argument(metavar="VK", help="The verifying key: DIR/vk.bin.")],
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="The proof.")],
    input: Annotated[
        Path | None, typer.Option("--input", "-i", metavar="X", help="The input that the proof has to be about; .npz or ezkl's JSON.")
    ] = None,
    index: Index = None,
    json: Json = False,
) -> None:
    """Verify a proof; exit code 0 when it is accepted, 10 when it is rejected."""
    with session(json) as out:
        out.on_error = _fields(0.0, verified=False)
        import ciro_zk
        from ciro_zk.cli.inputs import load_inputs
        from ciro_zk.cli.prove import output_rows
        from ciro_zk.cli.public import named_after, wanted_inputs

        key = ciro_zk.VerifyingKey.load(verifying_key)
        loaded = ciro_zk.Proof.load(proof)
        inputs = load_inputs(input, wanted_inputs(key.program), index) if input is not None else None
        watch = Stopwatch()
        try:
            with named_after(input):
                verified = ciro_zk.verify(key, loaded, inputs=inputs)
        except ciro_zk.ProofRejected as rejected:
            out.say(f"REJECTED at {rejected.stage}: {rejected.reason}")
            out.result(_fields(watch.seconds, verified=False, reason=rejected.reason, stage=rejected.stage))
            raise typer.Exit(int(ExitCode.REJECTED)) from rejected
        seconds = watch.seconds
        bits = verified.security.summed_bits
        out.say(f"VERIFIED in {seconds_text(seconds)}, {bits:.0f} bits of security")
        out.rows(output_rows(verified.outputs))
        out.result(_fields(seconds, verified=True, outputs=verified.outputs, security_bits=bits))


def _fields(seconds: float, *, verified: bool, **known: Any) -> dict[str, Any]:
    fields = {"seconds": rounded(seconds), "total_seconds": rounded(process_seconds()), "verified": verified}
    return {**fields, "reason": None, "stage": None, "outputs": None, "security_bits": None, **known}
