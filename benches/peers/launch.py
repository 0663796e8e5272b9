"""Runs a command and writes what it took: `python -I -S launch.py REPORT COMMAND ...`. Exits as the command does.

A process of its own, and a small one: a child's `ru_maxrss` starts at the memory of the process that starts it.
"""

import json
import os
import resource
import subprocess
import sys
import time

started = time.perf_counter()
code = subprocess.call(sys.argv[2:])
seconds = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    report = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss * 1024 / 1e6,
    }
    json.dump(report, file)
sys.stdout.flush()
os._exit(code if code >= 0 else 128 - code)
