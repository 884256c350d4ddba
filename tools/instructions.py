"""Counts the instructions of one operation, and compares them with the figures that are kept.

    python tools/instructions.py check      # fails where a figure has grown by more than a tenth
    python tools/instructions.py record     # measures and keeps

Of the core alone, callgrind counts a run over 1,000 operations and one over 11,000; the difference is divided by
10,000, so that starting the program costs nothing. Of a replay, from the event to the output of a handler, it counts a
process with one invocation and one with three of the same event. What the extension takes of that is nearly the same
under every CPython. The whole, with what the interpreter takes, is the interpreter's as much as ours: it is kept for
each version on its own, and only told under a version of which nothing is kept.

Counts depend on the compiler: the version that measured is kept with the figures, and used again. Another version is
for `record`, in a commit of its own. They hardly depend on the machine, if it is an x86-64 with AVX2 (ids are hashed
with it).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benches" / "instructions.toml"
SHAPES = {
    "scan": "find a step in a page",
    "small": "find, index, look up and read a step with a small result",
    "rich": "the same with a decimal, a UUID, a moment and text with escapes",
    "children": "the same in child contexts of nine steps",
    "checkpoints": "queue an update, send it, have it acknowledged",
    "retries": "the delay of a retry, with jitter",
}
FEW, MANY = 1_000, 11_000
COLOURS = {
    "def": "replay a step of the event in a def handler",
    "async": "the same in an async handler, which awaits it",
}
ONCE, OFTEN = 1, 3
STEPS = 1_000
MOST_GROWTH = 0.10
PYTHON = platform.python_version()
REPLAYING = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "python")]), "PYTHONHASHSEED": "0"}
"""The environment of what is counted."""


class Counts(NamedTuple):
    """Instructions for one operation, by name."""

    core: dict[str, float]
    extension: dict[str, float]
    replay: dict[str, float]
    """Under this version of CPython."""


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
    faults = compared("the core alone", kept["core"], measured.core, SHAPES)
    faults += compared("the extension", kept["extension"], measured.extension, COLOURS)
    whole = kept["replay"].get(PYTHON)
    compared_whole = compared(f"the whole, CPython {PYTHON}", whole or {}, measured.replay, COLOURS)
    if whole is not None:
        faults += compared_whole
    for fault in faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if faults else 0


def compared(
    title: str, kept: Mapping[str, float], measured: Mapping[str, float], meanings: Mapping[str, str]
) -> list[str]:
    """Print the figures of one table, and tell what is wrong with them."""
    print(f"{title}:")
    for name, count in measured.items():
        change = f"{count / kept[name] - 1:+7.2%}" if name in kept else "not kept"
        print(f"  {name:12} {count:9.1f} instructions  {change:>8}  {meanings[name]}")
    return grown(kept, measured)


def grown(kept: Mapping[str, float], measured: Mapping[str, float]) -> list[str]:
    """What is wrong with the figures measured, as sentences."""
    faults = []
    for name in sorted(kept.keys() | measured.keys()):
        if name not in measured or name not in kept:
            faults.append(f"{name} is {'not measured' if name in kept else 'not kept'}: `make record-instructions`")
        elif measured[name] > kept[name] * (1 + MOST_GROWTH):
            faults.append(
                f"{name} needs {measured[name]:.1f} instructions, {measured[name] / kept[name] - 1:.1%} more than "
                f"the {kept[name]:.1f} that are kept. If that is the price of something: `make record-instructions`"
            )
    return faults


def record() -> int:
    """Measure with the usual compiler and keep the figures; those of other versions of CPython stay as they are."""
    version = compiler_version()
    measured = measure(version)
    replay = tomllib.loads(KEPT.read_text(encoding="utf-8")).get("replay", {}) | {PYTHON: measured.replay}
    tables: list[tuple[str, Mapping[str, float]]] = [("core", measured.core), ("extension", measured.extension)]
    tables += [(f'replay."{python}"', figures) for python, figures in sorted(replay.items())]
    text = "# Instructions for one operation, by tools/instructions.py. Compared in CI; recorded by\n"
    text += f'# `make record-instructions`.\nrustc = "{version}"\n'
    for title, figures in tables:
        text += f"\n[{title}]\n" + "".join(f"{name} = {count:.1f}\n" for name, count in figures.items())
    KEPT.write_text(text, encoding="utf-8")
    print(text)
    return 0


def measure(version: str) -> Counts:
    """Count everything, as that version of the compiler makes it."""
    valgrind = found_valgrind()
    cargo = [*cargo_of(version), "build", "--quiet", "--release", "--locked"]
    target = ROOT / ".cache" / "instructions"
    environment = os.environ | {"CARGO_TARGET_DIR": str(target), "RUSTFLAGS": "", "PYO3_PYTHON": sys.executable}
    for built in (["-p", "durable-core", "--example", "instructions"], ["-p", "durable-core-py"]):
        subprocess.run([*cargo, *built], check=True, cwd=ROOT, env=environment)
    core = measure_core(valgrind, target / "release" / "examples" / "instructions")
    return Counts(core, *measure_replay(valgrind, target / "release" / "lib_core.so"))


def measure_core(valgrind: str, program: Path) -> dict[str, float]:
    """Shape -> instructions of the pure core."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for shape in SHAPES:
            counts = {}
            for operations in (FEW, MANY):
                given = Path(folder) / f"{shape}-{operations}"
                with given.open("wb") as file:
                    subprocess.run([program, "write", shape, str(operations)], check=True, stdout=file)
                command = [str(program), "run", shape, str(given)]
                counts[operations] = sum(counted(valgrind, command, folder).values())
            figures[shape] = (counts[MANY] - counts[FEW]) / (MANY - FEW)
    return figures


def measure_replay(valgrind: str, extension: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Colour -> instructions of a replayed step: the extension's share, and all."""
    share, whole = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        # A copy whose name no other file has, for callgrind tells files by name.
        ours = str(shutil.copy(extension, Path(folder) / "core_that_is_counted.so"))
        for colour in COLOURS:
            command = [sys.executable, "-m", "benches.instructions", ours, colour]
            # Once without counting: whoever imports a module first also compiles it.
            subprocess.run([*command, str(ONCE), str(STEPS)], check=True, cwd=ROOT, env=REPLAYING)
            counts = {times: counted(valgrind, [*command, str(times), str(STEPS)], folder) for times in (ONCE, OFTEN)}
            grown_by = {file: counts[OFTEN][file] - counts[ONCE].get(file, 0) for file in counts[OFTEN]}
            steps = (OFTEN - ONCE) * STEPS
            share[colour] = grown_by[ours] / steps
            whole[colour] = sum(grown_by.values()) / steps
    return share, whole


def counted(valgrind: str, command: list[str], folder: str) -> dict[str, int]:
    """The instructions of one run: loaded file -> how many."""
    out = Path(folder) / "callgrind.out"
    tool = [valgrind, "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet"]
    subprocess.run([*tool, *command], check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=REPLAYING)
    return instructions_of_files(out.read_text(encoding="utf-8"))


def instructions_of_files(profile: str) -> dict[str, int]:
    """Add up a profile in callgrind's format: loaded file -> instructions in it."""
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    file, is_call = "", False
    for line in profile.splitlines():
        if line.startswith(("ob=", "cob=")):
            # A name stands where its number is used first.
            number, name = re.fullmatch(r"c?ob=\((\d+)\)(?: (.*))?", line).groups()  # type: ignore[union-attr] # callgrind's own form
            names.setdefault(number, name)
            if line.startswith("ob="):
                file = names[number]
        elif line.startswith("calls="):
            is_call = True  # the next line adds up what was called
        elif line[:1] in set("0123456789+-*"):
            if not is_call:
                counts[file] = counts.get(file, 0) + int(line.split()[1])
            is_call = False
    return counts


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
