"""`ciro-zk setup`: commits to a circuit's weights, once."""

from __future__ import annotations

from ciro_zk.cli.options import Codewords, Directory, Json, Threads
from ciro_zk.cli.report import Stopwatch, bytes_text, peak_rss_mb, rounded, seconds_text
from ciro_zk.cli.session import session


def setup_command(directory: Directory, codewords: Codewords = None, threads: Threads = None, json: Json = False) -> None:
    """Commit to the weights and write DIR/pk.bin and DIR/vk.bin."""
    with session(json) as out:
        import ciro_zk
        from ciro_zk.cli.folder import PROVING_KEY, VERIFYING_KEY, load_circuit, write_files
        from ciro_zk.container import Buffer
        from ciro_zk.kernels import warm

        circuit = load_circuit(directory)
        warm()
        watch = Stopwatch()
        with out.progress() as progress:
            proving_key, verifying_key = ciro_zk.setup(circuit, directory=codewords, threads=threads, progress=progress)
        seconds = watch.seconds
        keys: dict[str, list[Buffer]] = {PROVING_KEY: proving_key.pieces(), VERIFYING_KEY: [bytes(verifying_key)]}
        num_bytes = write_files(directory, keys)
        out.say(f"set up in {seconds_text(seconds)}, {peak_rss_mb():.0f} MB at most")
        out.rows({str(directory / name): bytes_text(sum(len(piece) for piece in data)) for name, data in keys.items()})
        out.result({"seconds": rounded(seconds), "bytes": num_bytes, "peak_rss_mb": round(peak_rss_mb(), 1)})
