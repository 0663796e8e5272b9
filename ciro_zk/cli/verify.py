"""`ciro-zk verify`: the verdict on a proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ciro_zk.cli.options import Index, Json
from ciro_zk.cli.report import Stopwatch, process_seconds, rounded, seconds_text
from ciro_zk.cli.session import ExitCode, session
from ciro_zk.errors import InputError


def verify_command(
    verifying_key: Annotated[Path, typer.Argument(metavar="VK", help="The verifying key: DIR/vk.bin.")],
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="The proof.")],
    input: Annotated[
        Path | None,
        typer.Option(
            "--input", "-i", metavar="X", help="The input that the proof has to be about; .npz or ezkl's JSON. Of a batch: all its samples."
        ),
    ] = None,
    index: Index = None,
    inference: Annotated[
        int | None, typer.Option("--inference", min=0, metavar="I", help="Of a batch: show, and compare with the input, inference I alone.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify a proof; exit code 0 when it is accepted, 10 when it is rejected."""
    with session(json) as out:
        out.on_error = _fields(0.0, verified=False)
        import ciro_zk
        from ciro_zk.cli.inputs import load_inputs
        from ciro_zk.cli.prove import batch_fields, load_samples, output_rows, stacked
        from ciro_zk.cli.public import named_after, wanted_inputs
        from ciro_zk.program.public import check_given

        key = ciro_zk.VerifyingKey.load(verifying_key)
        loaded = ciro_zk.Proof.load(proof)
        batch = loaded.batch
        if inference is not None and inference >= batch:
            remedy = f"give 0 to {batch - 1}"
            raise InputError(f"the proof has {batch} inferences", file=str(proof), field="--inference", value=inference, remedy=remedy)
        wanted = wanted_inputs(key.program)
        inputs, one = None, None
        if input is not None and batch == 1:
            inputs = load_inputs(input, wanted, index)
        elif input is not None and inference is not None:
            one = load_inputs(input, wanted, index)
        elif input is not None:
            samples = load_samples(input, wanted)
            if len(samples) != batch or index is not None:
                reason = f"holds {len(samples)} samples, the proof is about {batch}"
                raise InputError(reason, file=str(input), remedy="give exactly those, or compare one with --inference I and --index")
            inputs = stacked(samples)
        watch = Stopwatch()
        try:
            with named_after(input):
                verified = ciro_zk.verify(key, loaded, inputs=inputs)
                if one is not None and inference is not None:
                    graph, proven = key.program.graph, verified.inference(inference).integer_inputs
                    check_given("input", graph.inputs, graph.tensors, proven, one)
        except ciro_zk.ProofRejected as rejected:
            out.say(f"REJECTED at {rejected.stage}: {rejected.reason}")
            out.result(_fields(watch.seconds, verified=False, reason=rejected.reason, stage=rejected.stage))
            raise typer.Exit(int(ExitCode.REJECTED)) from rejected
        seconds = watch.seconds
        bits = verified.security.summed_bits
        outputs: dict[str, Any] = dict(verified.outputs)
        if inference is not None:
            alone = verified.inference(inference).integer_outputs
            outputs = {port.name: alone[port.name] * port.scale for port in key.program.graph.outputs}
        many = f" {batch} inferences" if batch > 1 else ""
        shown = f", inference {inference}:" if inference is not None else ""
        out.say(f"VERIFIED{many} in {seconds_text(seconds)}, {bits:.0f} bits of security{shown}")
        out.rows(output_rows(outputs))
        chosen = {} if inference is None else {"inference": inference}
        out.result(_fields(seconds, verified=True, outputs=outputs, security_bits=bits, **batch_fields(batch), **chosen))


def _fields(seconds: float, *, verified: bool, **known: Any) -> dict[str, Any]:
    fields = {"seconds": rounded(seconds), "total_seconds": rounded(process_seconds()), "verified": verified}
    return {**fields, "reason": None, "stage": None, "outputs": None, "security_bits": None, **known}
