"""Counts the instructions that the core needs for one operation, and compares them with the figures that are kept.

    python tools/instructions.py check      # fails where a figure has grown by more than a tenth
    python tools/instructions.py record     # measures and keeps

Callgrind counts a run over 1,000 operations and one over 11,000; the difference is divided by 10,000, so that starting
the program costs nothing. Counts depend on the compiler: the version that measured is kept with the figures, and used
again. Another version is for `record`, in a commit of its own. They hardly depend on the machine, if it is an x86-64
with AVX2 (ids are hashed with it).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benches" / "instructions.toml"
SHAPES = {
    "small": "index, find and read a step with a small result",
    "rich": "the same with a decimal, a UUID, a moment and text with escapes",
    "children": "the same in child contexts of nine steps",
    "checkpoints": "queue an update, send it, have it acknowledged",
    "retries": "the delay of a retry, with jitter",
}
FEW, MANY = 1_000, 11_000
MOST_GROWTH = 0.10


def main(words: list[str]) -> int:
    """Carry out the command; the exit code."""
    if words == ["record"]:
        return record()
    if words == ["check"]:
        return check()
    print(__doc__, file=sys.stderr)
    return 2


def check() -> int:
    """Compare with what is kept."""
    kept = tomllib.loads(KEPT.read_text(encoding="utf-8"))
    measured = measure(kept["rustc"])
    faults = grown(kept["instructions"], measured)
    for shape, count in measured.items():
        before = kept["instructions"].get(shape)
        change = "new" if before is None else f"{count / before - 1:+7.2%}"
        print(f"{shape:12} {count:9.1f} instructions  {change}  {SHAPES[shape]}")
    for fault in faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if faults else 0


def grown(kept: Mapping[str, float], measured: Mapping[str, float]) -> list[str]:
    """What is wrong with the figures measured, as sentences."""
    faults = []
    for shape in sorted(kept.keys() | measured.keys()):
        if shape not in measured or shape not in kept:
            faults.append(f"{shape} is {'not measured' if shape in kept else 'not kept'}: `make record-instructions`")
        elif measured[shape] > kept[shape] * (1 + MOST_GROWTH):
            faults.append(
                f"{shape} needs {measured[shape]:.1f} instructions, {measured[shape] / kept[shape] - 1:.1%} more than "
                f"the {kept[shape]:.1f} that are kept. If that is the price of something: `make record-instructions`"
            )
    return faults


def record() -> int:
    """Measure with the usual compiler and keep the figures."""
    version = compiler_version()
    lines = [f"{shape} = {count:.1f}" for shape, count in measure(version).items()]
    KEPT.write_text(
        "# Instructions for one operation, by tools/instructions.py. Compared in CI; recorded by\n"
        "# `make record-instructions`.\n"
        f'rustc = "{version}"\n\n[instructions]\n' + "\n".join(lines) + "\n",
        encoding="utf-8",
    )
    print(KEPT.read_text(encoding="utf-8"))
    return 0


def measure(version: str) -> dict[str, float]:
    """Shape -> instructions for one operation, as that version of the compiler makes them."""
    valgrind = found_valgrind()
    cargo = cargo_of(version)
    target = ROOT / ".cache" / "instructions"
    built = [*cargo, "build", "--quiet", "--release", "--locked", "-p", "durable-core", "--example", "instructions"]
    subprocess.run(built, check=True, cwd=ROOT, env={**os.environ, "CARGO_TARGET_DIR": str(target), "RUSTFLAGS": ""})
    program = target / "release" / "examples" / "instructions"
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for shape in SHAPES:
            counts = {}
            for operations in (FEW, MANY):
                given = Path(folder) / f"{shape}-{operations}"
                with given.open("wb") as file:
                    subprocess.run([program, "write", shape, str(operations)], check=True, stdout=file)
                counts[operations] = counted(valgrind, [str(program), "run", shape, str(given)], folder)
            figures[shape] = (counts[MANY] - counts[FEW]) / (MANY - FEW)
    return figures


def counted(valgrind: str, command: list[str], folder: str) -> int:
    """The instructions of one run."""
    out = Path(folder) / "callgrind.out"
    tool = [valgrind, "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet"]
    subprocess.run([*tool, *command], check=True, stdout=subprocess.DEVNULL)
    for line in out.read_text(encoding="utf-8").splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise SystemExit(f"callgrind told no total of {command}")


def found_valgrind() -> str:
    """Where valgrind is; in CI it is installed if it is missing."""
    if not shutil.which("valgrind") and os.environ.get("CI") and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-q"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-q", "valgrind"], check=False)
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise SystemExit("Counting instructions needs valgrind (Debian: apt-get install valgrind), which is missing")
    return valgrind


def compiler_version() -> str:
    """The version of the compiler that is used unless told otherwise."""
    return subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.split()[1]


def cargo_of(version: str) -> list[str]:
    """How to call cargo with that version of the compiler."""
    if compiler_version() == version:
        return ["cargo"]
    if shutil.which("rustup") is None:
        raise SystemExit(
            f"The kept figures are of rustc {version}, this is {compiler_version()}, and there is no rustup to get it: "
            f"install rustc {version}, or record anew with yours, on the commit before your change"
        )
    subprocess.run(["rustup", "toolchain", "install", version, "--profile", "minimal", "--no-self-update"], check=True)
    return ["cargo", f"+{version}"]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
