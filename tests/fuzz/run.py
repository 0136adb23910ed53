"""`python -m tests.fuzz.run TARGET --seconds 20`: one target under atheris, led by coverage.

The corpus is made from the product's own fixtures at the start; an input that breaks the contract is
written to `--findings` and the process ends with status 77.
The last line is one JSON object.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["media", "aioice"]):
    from tests.fuzz.targets import TARGETS

MEMORY_MB = 1024
INPUT_S = 5  # libFuzzer's whole seconds for one input; the unit tests hold one second


def main() -> None:
    """Fuzz until the time is over."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.run", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--findings", type=Path, default=Path("instance/fuzz"))
    given = parser.parse_args()
    given.findings.mkdir(parents=True, exist_ok=True)
    check, seeds = TARGETS[given.target]
    folder = given.findings / f"corpus-{given.target}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for i, seed in enumerate(seeds()):
        (folder / f"{i:03}").write_bytes(seed)
    inputs, started = 0, time.monotonic()

    def one(data: bytes) -> None:
        nonlocal inputs
        inputs += 1
        check(data)
        if time.monotonic() - started > given.seconds:  # libFuzzer never returns: this is the regular end
            shutil.rmtree(folder)
            print(json.dumps({"target": given.target, "inputs": inputs, "seconds": given.seconds, "findings": 0}))
            sys.stdout.flush()
            os._exit(0)

    arguments = [sys.argv[0], str(folder), f"-timeout={INPUT_S}", f"-rss_limit_mb={MEMORY_MB}", "-max_len=4096",
                 f"-artifact_prefix={given.findings}/{given.target}-", "-verbosity=0"]  # fmt: skip
    atheris.Setup(arguments, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
