"""The command line `ciro-zk`: one file per command, nothing heavy imported before a command runs.

main.py      the typer app and the entry point      session.py   errors to exit codes, the one JSON object
options.py   options that commands share            report.py    clocks, memory, figures in words
inputs.py    .npz and JSON inputs, bounded          progress_view.py   bars on a terminal, JSON lines with --json
demo/        `ciro-zk demo`: the digit, the tamperings, the command
"""
