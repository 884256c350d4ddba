"""A handler against a history of what it used to be."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import History, check, read, read_store
from tests.compat import scenarios
from tests.compat.sdk import Sdk
from tests.house.sources import ROOT

Plan = list[tuple[Any, ...]]


def handler_of(plan: Plan, ran: list[str] | None = None) -> Callable[..., Any]:
    """A handler that performs a plan: ("step", name), ("wait", name) or ("child", name, plan)."""

    def perform(context: DurableContext, plan: Plan) -> None:
        for kind, name, *inner in plan:
            if kind == "step":
                context.step(lambda _, name=name: ran.append(name) if ran is not None else None, name=name)
            elif kind == "wait":
                context.wait(Duration.from_seconds(1), name=name)
            else:
                context.run_in_child_context(lambda child, inner=inner: perform(child, inner[0]), name=name)

    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        perform(context, plan)
        return "done"

    return handler


def steps(names: str) -> Plan:
    """A plan of steps."""
    return [("step", name) for name in names]


def recorded(tmp_path: Path, handler: Callable[..., Any]) -> History:
    """The history of one execution."""
    store = tmp_path / "store.db"
    with Engine(store, time_scale=0) as engine:
        engine.run(handler, {}, name="one")
    [history] = read_store(store)
    return history


@pytest.mark.parametrize(
    ("now", "cause", "position"),
    [
        ("aXcde", "renamed", 2),
        ("aXbcde", "inserted", 2),
        ("acde", "removed", 2),
        ("acbde", "reordered", 2),
    ],
)
def test_a_change_has_its_cause_and_place(tmp_path: Path, now: str, cause: str, position: int) -> None:
    history = recorded(tmp_path, handler_of(steps("abcde")))
    ran: list[str] = []
    report = check(handler_of(steps(now), ran), history)
    assert (report.verdict, report.cause, report.position) == ("diverged", cause, position)
    assert report.last_agreeing == "Step 'a'"
    assert report.line is not None
    assert report.line.startswith(__file__)
    assert ran == []


def test_the_same_handler_is_clean(tmp_path: Path) -> None:
    plan: Plan = [*steps("ab"), ("wait", "w"), ("child", "c", steps("xy")), ("step", "z")]
    history = recorded(tmp_path, handler_of(plan))
    ran: list[str] = []
    report = check(handler_of(plan, ran), history)
    assert report.verdict == "clean"
    assert ran == []


def test_another_type(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of(steps("abc")))
    report = check(handler_of([("step", "a"), ("wait", "b"), ("step", "c")]), history)
    assert (report.cause, report.recorded, report.attempted) == ("type changed", "Step 'b'", "Wait 'b'")


def test_more_than_a_finished_execution_did(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of(steps("ab")))
    ran: list[str] = []
    report = check(handler_of(steps("abc"), ran), history)
    assert (report.verdict, report.cause, report.attempted) == ("diverged", "inserted", "Step 'c'")
    assert ran == []


def test_a_removed_tail_cannot_be_told_from_a_race(tmp_path: Path) -> None:
    report = check(handler_of(steps("ab")), recorded(tmp_path, handler_of(steps("abc"))))
    assert (report.verdict, report.cause, report.recorded) == ("ambiguous", "removed", "Step 'c'")


def test_an_unfinished_history_ends_at_its_frontier(tmp_path: Path) -> None:
    whole = recorded(tmp_path, handler_of(steps("abc")))
    history = History("part", whole.arn, whole.operations[:3], complete=False)
    ran: list[str] = []
    report = check(handler_of(steps("abc"), ran), history)
    assert (report.verdict, report.agreed, report.attempted) == ("frontier", 2, "Step 'c'")
    assert ran == []


def sent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"out", ("127.0.0.1", 9))


@pytest.mark.parametrize(
    "reach_out",
    [
        lambda: socket.create_connection(("127.0.0.1", 9)),
        sent,
        lambda: socket.getaddrinfo("localhost", 9),
        lambda: socket.gethostbyname("localhost"),
        lambda: socket.gethostbyaddr("127.0.0.1"),
    ],
)
def test_a_network_call_outside_steps_is_refused(tmp_path: Path, reach_out: Callable[[], object]) -> None:
    history = recorded(tmp_path, handler_of(steps("a")))

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        reach_out()

    before = socket.socket.connect, socket.socket.sendto, socket.getaddrinfo, socket.gethostbyname
    report = check(handler, history)
    assert report.verdict == "not checkable"
    assert "outside a step" in (report.note or "")
    assert (socket.socket.connect, socket.socket.sendto, socket.getaddrinfo, socket.gethostbyname) == before


def test_a_new_error_of_the_handler_is_not_clean(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of(steps("a")))

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        context.step(lambda _: None, name="a")
        raise KeyError("secret")

    report = check(handler, history)
    assert report.verdict == "not checkable"
    assert "KeyError" in (report.note or "")
    assert "secret" not in str(report)


def test_async_handlers_too(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of(steps("ab")))

    @durable_execution
    async def same(event: Any, context: Any) -> None:
        await context.step(lambda _: None, name="a")
        await context.step(lambda _: None, name="b")

    @durable_execution
    async def other(event: Any, context: Any) -> None:
        await context.step(lambda _: None, name="a")
        await context.step(lambda _: None, name="q")

    assert check(same, history).verdict == "clean"
    assert check(other, history).cause == "renamed"


def test_seeded_mutations_are_named(tmp_path: Path) -> None:
    chance = random.Random(20)
    right = total = 0
    for size in range(4, 14):
        names = [f"s{n}" for n in range(size)]
        history = recorded(tmp_path / str(size), handler_of([("step", name) for name in names]))
        for change in ("renamed", "inserted", "removed", "reordered"):
            for _ in range(3):
                at = chance.randrange(size - 2)
                now = list(names)
                if change == "renamed":
                    now[at] = "new"
                elif change == "inserted":
                    now.insert(at, "new")
                elif change == "removed":
                    del now[at]
                else:
                    now[at], now[at + 1] = now[at + 1], now[at]
                report = check(handler_of([("step", name) for name in now]), history)
                total += 1
                right += (report.verdict, report.cause, report.position) == ("diverged", change, at + 1)
    assert total == 120
    assert right >= 0.95 * total


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with Engine(store) as engine:
        engine.run(handler_of(steps("ab")), {}, name="one")
        engine.export_history("one", tmp_path / "one.json")
    folder = tmp_path / "histories"
    folder.mkdir()
    text = " ".join((tmp_path / "one.json").read_text().splitlines())
    (folder / "many.jsonl").write_text(f"{text}\n{text}\n")
    (folder / "one.json").write_text(text)
    found = list(read(folder))
    assert len(found) == 3
    assert all(check(handler_of(steps("ab")), history).verdict == "clean" for history in found)


def test_a_change_inside_a_finished_context_is_seen(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of([("step", "a"), ("child", "c", steps("xy"))]))
    report = check(handler_of([("step", "a"), ("child", "c", steps("xz"))]), history)
    assert (report.cause, report.recorded, report.position) == ("renamed", "Step 'y'", 2)
    assert "in the middle of it" in (report.note or "")


def test_a_change_inside_the_branches_of_a_map_is_seen(tmp_path: Path) -> None:
    def mapping(*names: str) -> Callable[..., Any]:
        def branch(context: DurableContext, item: int, index: int, items: Any) -> None:
            for name in names:
                context.step(lambda _: item, name=name)

        @durable_execution
        def handler(event: Any, context: DurableContext) -> None:
            context.map([1, 2, 3], branch, name="m")

        return handler

    history = recorded(tmp_path, mapping("p", "q"))
    assert check(mapping("p", "q"), history).verdict == "clean"
    assert check(mapping("p", "z"), history).cause == "renamed"
    assert check(mapping("q"), history).cause == "removed"
    assert check(mapping("q", "p"), history).cause == "reordered"


@pytest.mark.parametrize(("now", "cause"), [(4, "inserted"), (2, "removed")])
def test_another_number_of_rounds(tmp_path: Path, now: int, cause: str) -> None:
    history = recorded(tmp_path, handler_of([*steps("lll"), ("step", "end")]))
    assert check(handler_of([*steps("l" * now), ("step", "end")]), history).cause == cause


def test_a_swallowed_divergence_is_seen(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of(steps("ab")))

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        with suppress(Exception):  # as users do
            context.step(lambda _: None, name="other")
        context.step(lambda _: None, name="b")

    report = check(handler, history)
    assert (report.verdict, report.recorded, report.position) == ("diverged", "Step 'a'", 1)


OFFICIAL = [history for folder in sorted((ROOT / "tests" / "histories").glob("official-*")) for history in read(folder)]


@pytest.mark.parametrize("history", OFFICIAL, ids=lambda h: "/".join(Path(h.name).parts[-2:]))
def test_histories_of_the_official_sdk_are_clean(history: History) -> None:
    body = scenarios.REGISTRY[Path(history.name).stem].body
    sdk = Sdk("durable_execution_sdk")

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        return body(sdk, event, context)

    report = check(handler, history)
    if Path(history.name).stem == "suspends_by_hand":  # asks whether it is replayed, and then does less
        assert report.verdict == "ambiguous"
    else:
        assert report.ok, report


def test_a_swallowed_divergence_has_both_sides_and_its_line(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of(steps("ab")))

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        with suppress(Exception):  # as users do
            context.step(lambda _: None, name="other")
        context.step(lambda _: None, name="b")

    report = check(handler, history)
    line = handler.__durable__.handler.__code__.co_firstlineno + 3  # type: ignore[attr-defined]  # the decorator sets it
    assert (report.cause, report.recorded, report.attempted) == ("renamed", "Step 'a'", "Step 'other'")
    assert report.line == f"{__file__}:{line}"
    assert report.hint is not None


def test_each_task_reaches_its_own_frontier(tmp_path: Path) -> None:
    async def left(context: Any) -> None:
        await context.step(lambda _: None, name="l1")
        await context.step(lambda _: None, name="l2")

    async def right(context: Any) -> None:
        await context.step(lambda _: None, name="r1")
        await context.step(lambda _: None, name="r2")

    @durable_execution
    async def handler(event: Any, context: Any) -> None:
        await asyncio.gather(left(context), right(context))

    whole = recorded(tmp_path, handler)
    known = [record for record in whole.operations if record.get("Name") not in {"l2", "r2"}]
    report = check(handler, History("part", whole.arn, known, complete=False))
    assert (report.verdict, report.agreed) == ("frontier", 2)
    assert sorted(reached.split(" at ")[0] for reached in report.frontier) == ["Step 'l2'", "Step 'r2'"]
    assert all(reached.startswith(f"Step 'l2' at {__file__}:") for reached in report.frontier if "l2" in reached)


def test_a_tail_removed_inside_a_finished_context_is_ambiguous(tmp_path: Path) -> None:
    history = recorded(tmp_path, handler_of([("child", "c", steps("xy")), ("step", "z")]))
    report = check(handler_of([("child", "c", steps("x")), ("step", "z")]), history)
    assert (report.verdict, report.recorded, report.last_agreeing) == ("ambiguous", "Step 'y'", "Step 'x'")


@pytest.mark.parametrize(
    ("now", "cause"), [("ba", "reordered"), ("a", "removed"), ("abc", "inserted"), ("cab", "inserted")]
)
def test_other_branches_of_a_finished_parallel(tmp_path: Path, now: str, cause: str) -> None:
    def parallel(letters: str) -> Callable[..., Any]:
        def branch(letter: str) -> Callable[[DurableContext], None]:
            return lambda inner: inner.step(lambda _: None, name=letter)

        @durable_execution
        def handler(event: Any, context: DurableContext) -> None:
            context.parallel([branch(letter) for letter in letters], name="p")

        return handler

    report = check(parallel(now), recorded(tmp_path, parallel("ab")))
    assert (report.verdict, report.cause) == ("diverged", cause)
    assert report.line is not None
    assert report.line.startswith(__file__)


def test_payloads_are_shown_only_if_asked_for(tmp_path: Path) -> None:
    @durable_execution
    def before(event: Any, context: DurableContext) -> None:
        context.step(lambda _: "a secret", name="a")

    history = recorded(tmp_path, before)
    now = handler_of(steps("b"))
    assert "a secret" not in str(check(now, history))
    assert "a secret" in str(check(now, history, payloads=True))
