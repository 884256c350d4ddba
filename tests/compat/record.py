"""Records tests/histories/: `.venv/bin/python -m tests.compat.record [SCENARIO...]`, after `make official`.

Without a name, all are recorded anew.

They stay for ever: a history that an old SDK wrote must replay. 3.0.0 is recorded through its own local runner where
nothing outside has to answer, all else through the service of these tests. From older SDKs only what 3.0.0 itself
replays is kept, and the outcome is the one that 3.0.0 comes to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.compat.harness import replay, run
from tests.compat.scenarios import REGISTRY
from tests.compat.sides import OFFICIAL, HungError, Worker
from tests.house.sources import ROOT

Json = dict[str, Any]
HISTORIES = ROOT / "tests" / "histories"
# Left out: hundreds of kilobytes each, or nothing in them but the input.
LARGE = {"large_child_result", "map_with_a_large_result", "returns_much"}
NAMES = sorted(set(REGISTRY) - LARGE - {"broken_input", "context_tells"})
BULKY = {
    "a_large_branch_in_a_large_batch",
    "a_large_race_is_summarised",
    "code_of_the_user_s_that_fails_beside_the_branches",
    "every_completion_rule",
    "large_and_flat_with_failures",
    "more_branches_than_a_request_holds",
}
"""Too large to be kept, too; they are replayed right after they ran."""


def python(version: str) -> str:
    """The interpreter of that version's environment."""
    variable = {"3.0.0": "", "2.1.0": "_2_1", "1.7.0": "_1_7"}[version]
    default = ROOT / ".cache" / "official" / version / "bin" / "python"
    return os.environ.get(f"DURABLE_OFFICIAL_PYTHON{variable}", str(default))


def with_local_runner(names: Iterable[str]) -> Iterable[Json]:
    """Histories of the official local runner."""
    command = [python("3.0.0"), "-m", "tests.compat.local_runner", *names]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def with_our_service(version: str, names: Iterable[str], judge: Worker) -> list[Json]:
    """Histories of an official SDK over the service of these tests, as far as `judge` replays them."""
    worker = Worker(version, python(version), patience_s=10)

    def record(name: str) -> Json | None:
        try:
            found = run(name, [worker])
        except HungError as error:
            print(error)
            return None
        history = {
            "version": 1,
            "producer": f"{OFFICIAL} {version}",
            "scenario": name,
            "arn": found.service.arn,
            "operations": list(found.service.operations.values()),
        }
        outcome = replay(history, judge)
        if "output" in outcome or outcome == found.outcome:
            return {**history, "outcome": outcome}
        print(f"{version} {name}: 3.0.0 does not replay it: {outcome['raised'][1][:100]}")
        return None

    with ThreadPoolExecutor(8) as pool:
        histories = [history for history in pool.map(record, names) if history is not None]
    worker.close()
    return histories


def main(names: Collection[str]) -> None:
    """Write them."""
    judge = Worker("3.0.0", python("3.0.0"))
    wanted = [name for name in NAMES if name not in BULKY and (not names or name in names)]
    alone = [name for name in wanted if REGISTRY[name].script is None]
    answered = [name for name in wanted if REGISTRY[name].script is not None]
    sets = {
        "official-3.0.0": [*with_local_runner(alone), *with_our_service("3.0.0", answered, judge)],
        "official-2.1.0": [*with_our_service("2.1.0", wanted, judge)],
        "official-1.7.0": [*with_our_service("1.7.0", wanted, judge)],
    }
    judge.close()
    for folder, histories in sets.items():
        (HISTORIES / folder).mkdir(parents=True, exist_ok=True)
        for history in histories:
            path = HISTORIES / folder / f"{history['scenario']}.json"
            path.write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
        print(f"{folder}: {len(histories)} histories")


if __name__ == "__main__":
    main(sys.argv[1:])
