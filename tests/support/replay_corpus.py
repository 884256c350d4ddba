"""Handlers as data, and their Python source: as it is, and written differently where that must not matter."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LEAVES = ("step", "condition", "wait", "invoke", "callback", "waitcb")


@dataclass(eq=False)
class Statement:
    """One statement of a handler: an operation, or what stands around some."""

    kind: str
    name: str = ""
    body: list[Statement] = field(default_factory=list)
    orelse: list[Statement] = field(default_factory=list)
    count: int = 1
    holds: bool = True
    sub_type: str = ""
    numbered: bool = False
    large: bool = False
    looks: bool = False
    line: int = 0


Plan = list[Statement]


def leaf(text: str) -> Plan:
    """Leaves from words: `a` is a step, `w:wait` a wait."""
    found = []
    for word in text.split():
        name, _, kind = word.partition(":")
        found.append(Statement(kind or "step", name))
    return found


def loop(count: int, *parts: str | Statement, numbered: bool = False) -> Statement:
    return Statement("loop", body=_plan(parts), count=count, numbered=numbered)


def when(holds: bool, *parts: str | Statement, other: str = "") -> Statement:
    return Statement("if", body=_plan(parts), orelse=leaf(other), holds=holds)


def child(name: str, *parts: str | Statement) -> Statement:
    return Statement("child", name, _plan(parts))


def retry(name: str, *parts: str | Statement) -> Statement:
    return Statement("retry", name, _plan(parts))


def each(name: str, count: int, *parts: str | Statement) -> Statement:
    return Statement("map", name, _plan(parts), count=count)


def failed(name: str, *parts: str | Statement) -> Statement:
    """A child that fails after its last operation; the code around it goes on."""
    return Statement("failed", name, _plan(parts))


def large(one: Statement) -> Statement:
    """With results that are too large to be kept, so that a replay goes through it again."""
    one.large = True
    return one


def ask(name: str) -> Statement:
    """A callback that is handed out by a step and waited for after it."""
    return Statement("ask", name)


def row(*parts: str | Statement) -> Statement:
    """Operations of one scope that are under way at the same time, in an async handler."""
    return Statement("row", body=_plan(parts))


def branches(name: str, **parts: str) -> Statement:
    """A parallel; branches whose key starts with `_` have no name."""
    bodies = [Statement("branch", "" if key.startswith("_") else key, leaf(text)) for key, text in parts.items()]
    return Statement("parallel", name, bodies)


def tasks(**parts: str | Plan) -> Statement:
    """Tasks of an async handler, gathered."""
    bodies = {key: leaf(part) if isinstance(part, str) else part for key, part in parts.items()}
    return Statement("tasks", body=[Statement("task", key, body) for key, body in bodies.items()])


def group(**parts: str | Plan) -> Statement:
    """Tasks of an async handler, in a group."""
    return Statement("group", body=tasks(**parts).body)


def _plan(parts: tuple[str | Statement, ...]) -> Plan:
    return [one for part in parts for one in (leaf(part) if isinstance(part, str) else [part])]


def plan(*parts: str | Statement) -> Plan:
    return _plan(parts)


HANDLERS: dict[str, tuple[bool, Plan]] = {
    "flat": (
        False,
        plan("a b c w:wait d e f", loop(2, "r"), when(True, "g h"), child("k", "k1 k2"), "i",
             branches("p", x="x1", y="y1", z="z1"), "end"),
    ),
    "loops": (
        False,
        plan("open", loop(3, "fetch store", numbered=True), "mid", loop(2, "poll p:wait"), when(False, "skip"),
             child("inner", "i0", loop(2, "i1")), branches("p", _1="u", _2="v v2", _3="t"), "close"),
    ),
    "conditions": (
        False,
        plan("check", when(True, "yes", other="no"), "between", when(False, "rare rarer"), when(True, "usual"),
             loop(2, "l"), child("c", "c1", when(True, "c2"), "c3"), branches("p", x="x1 x2", y="y1"), "end"),
    ),
    "children": (
        False,
        plan("a", child("first", "f1 f2 f3"), "b", child("second", "s1 s2", loop(2, "sl")), "c",
             child("third", "t1 w:wait t2"), when(True, "cond"), branches("p", x="x1", _2="y1 y2"), "end"),
    ),
    "nested": (
        False,
        plan("a", child("outer", "o1", child("middle", "m1", child("inner", "n1 n2 n3"), "m2"), "o2", loop(2, "ol"),
                        branches("p", left="l1 l2", right="r1")), "b", when(True, "b2"), "c"),
    ),
    "maps": (
        False,
        plan("a", each("items", 3, "load save"), "b", each("more", 2, "m1", child("deep", "d1 d2"), "m2"),
             loop(2, "r"), when(True, "x"), branches("p", one="q1", two="q2"), "end"),
    ),
    "parallels": (
        False,
        plan("a", branches("named", x="x1 x2", y="y1", z="z1 z2"), "b", branches("plain", _1="p1 p2", _2="q1", _3="r1"),
             loop(2, "l"), when(True, "t"), child("c", "c1 c2"), "end"),
    ),
    "outside": (
        False,
        plan("a", "ask:waitcb", "call:invoke", "sleep:wait", "cb:callback", "b", loop(2, "again:invoke"),
             when(True, "nap:wait"), child("c", "c1", "c2:invoke", "c3"), branches("p", x="x1:invoke", y="y1"), "end"),
    ),
    "retries": (
        False,
        plan("a", "ready:condition", retry("careful", "r1 r2"), "b", "ripe:condition", child("c", "c1 c2:condition"),
             loop(2, "l"), when(True, "t"), branches("p", x="x1", y="y1:condition"), "end"),
    ),
    "gathered": (
        True,
        plan("a", tasks(alpha="a1 a2 a3", beta="b1 b2", gamma="g1 w:wait g2"), "b", loop(2, "l m"), when(True, "t"),
             child("c", "c1 c2"), branches("p", x="x1", y="y1 y2"), "end"),
    ),
    "async_mixed": (
        True,
        plan("a b", child("c", "c1", loop(2, "cl"), "c2"), each("items", 2, "load save"), "call:invoke",
             tasks(left="l1 l2", right="r1 r2"), when(True, "x", other="y"), branches("p", _1="u", _2="v"),
             "ready:condition", "end"),
    ),
    "polling": (
        False,
        plan("open", loop(3, "try:failing", "pause:wait", numbered=True), "ready:condition",
             child("c", "c1", loop(2, "ct:failing", "cp:wait"), "c2"), when(True, "x:failing"),
             branches("p", x="x1:failing x2", y="y1"), "close"),
    ),
    "answers": (
        False,
        plan("a", ask("approval"), "b", loop(2, "hook:waitcb"), child("c", "c1", ask("inner"), "c2"), ask("second"),
             when(True, "t:waitcb"), branches("p", x="x1", y="y1:waitcb"), "end"),
    ),
    "large": (
        False,
        plan("a", large(each("outer", 2, "o1", large(each("inner", 2, "i1 i2")), "o2")), "b",
             large(child("big", "b1", child("small", "s1 s2"), "b2")), loop(2, "l"), when(True, "t"),
             branches("p", x="x1 x2", y="y1"), "end"),
    ),
    "mishaps": (
        False,
        plan("book", failed("first", "f1 f2:failing f3"), "undo", failed("second", "s1", child("in", "w1 w2"), "s2"),
             child("c", "c1", failed("deep", "d1 d2"), "c2"), loop(2, failed("again", "g1 g2")), when(True, "t"),
             branches("p", x="x1", y="y1 y2"), "end"),
    ),
    "grouped": (
        True,
        plan("a", group(alpha="a1 a2", beta=plan("b1", child("bc", "bc1 bc2"), "b2"), gamma="g1 g2:wait"), "b",
             row("r1 r2:wait r3"), child("c", "c1", row("cr1 cr2"), "c2"), loop(2, "l", row("m n")), when(True, "t"),
             branches("p", x="x1", y="y1 y2"), "end"),
    ),
    "async_saga": (
        True,
        plan("a", failed("first", "f1 f2:failing f3"), loop(2, "try:failing", "pause:wait"),
             each("items", 2, "load", row("s t"), "save"), "hook:waitcb", tasks(left="l1:failing l2", right="r1 r2"),
             large(each("sheets", 2, "read write")), when(True, "x", other="y"), child("c", "c1", row("d e"), "c2"),
             branches("p", _1="u", _2="v w"), "end"),
    ),
}  # fmt: skip


# --- source -----------------------------------------------------------------------------------------------------------


class Writer:
    """Writes a plan out, and notes the line of each statement. `chance`: with changes that must not matter."""

    def __init__(self, is_async: bool, chance: random.Random | None = None) -> None:
        self._async = is_async
        self._chance = chance
        self._lines: list[str] = []
        self._depth = 0
        self._serial = 0
        self._started: list[str] | None = None

    def write(self, statements: Plan) -> str:
        self._out("import asyncio, logging")
        self._out("from durable_execution_sdk import durable_execution")
        self._out("from durable_execution_sdk.config import *")
        self._out("from durable_execution_sdk.exceptions import *")
        self._out("from durable_execution_sdk.retries import *")
        self._out("from durable_execution_sdk.waits import *")
        self._out("from tests.support.replay_corpus import answer, broken, met, once, retried")
        self._out("@durable_execution")
        self._out(f"{self._def}handler(event, context):")
        with self:
            self._body(statements, "context")
            self._out("return 'done'")
        return "\n".join(self._lines) + "\n"

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1

    @property
    def _def(self) -> str:
        return "async def " if self._async else "def "

    @property
    def _await(self) -> str:
        if self._started is not None:
            self._started.append(f"started_{len(self._lines)}")
            return f"{self._started[-1]} = "
        return "await " if self._async else ""

    def _out(self, text: str) -> int:
        self._lines.append("    " * self._depth + text)
        return len(self._lines)

    def _local(self, usual: str) -> str:
        self._serial += 1
        return f"{usual}_{self._serial}" if self._chance is None else f"{self._chance.choice('pqrs')}{self._serial}"

    def _noise(self, context: str) -> None:
        for _ in range(0 if self._chance is None else self._chance.choice((0, 0, 1, 2))):
            self._serial += 1
            noise = (
                "# a comment",
                f"{context}.logger.info('news %s', {self._serial})",
                "logging.getLogger('users').debug('more')",
                f"pure_{self._serial} = sum(n * n for n in range({self._serial}))",
                f"text_{self._serial} = ', '.join(sorted({{'b', 'a'}}))",
                "if event is None: raise ValueError('no event')",
            )
            self._out(self._chance.choice(noise))  # type: ignore[union-attr]  # it is there, or the loop is empty

    def _body(self, statements: Plan, context: str, number: str = "") -> None:
        for statement in statements:
            self._noise(context)
            self._statement(statement, context, number)
        if not statements:
            self._out("pass")

    def _statement(self, s: Statement, context: str, number: str) -> None:
        name = f'f"{s.name}-{{{number}}}"' if number and s.numbered else repr(s.name)
        if s.kind == "loop":
            variable = self._local("round")
            self._out(f"for {variable} in range({s.count}):")
            for inner in within(s.body):
                inner.numbered = s.numbered
            with self:
                self._body(s.body, context, variable)
            return
        if s.kind == "if":
            self._out(f"if event.get('n', 1) {'>' if s.holds else '<'} 0:")
            with self:
                self._body(s.body, context, number)
            if s.orelse:
                self._out("else:")
                with self:
                    self._body(s.orelse, context, number)
            return
        if s.kind == "row":
            self._started = started = []
            self._body(s.body, context, number)
            self._started = None
            self._out(f"await asyncio.gather({', '.join(started)})")
            return
        if s.kind in {"tasks", "group"}:
            started = []
            order = list(s.body)
            if self._chance is not None:
                self._chance.shuffle(order)
            for task in order:
                self._out(f"async def {task.name}():")
                with self:
                    self._body(task.body, context)
                started.append(f"{task.name}()")
            if self._chance is not None:
                self._chance.shuffle(started)
            if s.kind == "tasks":
                self._out(f"await asyncio.gather({', '.join(started)})")
                return
            together = self._local("group")
            self._out(f"async with asyncio.TaskGroup() as {together}:")
            with self:
                for one in started:
                    self._out(f"{together}.create_task({one})")
            return
        s.line = self._operation(s, context, name, number)

    def _function(self, usual: str, parameters: str, body: Plan, number: str = "", end: str = "") -> str:
        function, inner = self._local(usual), self._local("inner")
        self._out(f"{self._def}{function}({parameters.format(inner=inner)}):")
        around, self._started = self._started, None
        with self:
            self._body(body, inner, number)
            if end:
                self._out(end)
        self._started = around
        return function

    def _caught(self, call: str, kind: str) -> int:
        self._out("try:")
        with self:
            line = self._out(call)
        self._out(f"except {kind}: pass")
        return line

    def _operation(self, s: Statement, context: str, name: str, number: str) -> int:
        step = f", config=StepConfig(sub_type={s.sub_type!r})" if s.sub_type else ""
        if s.looks and s.kind == "step":
            self._out(f"if {self._await}{context}.step(lambda _: 7, name={name}{step}) != 7:")
            with self:
                self._out("raise ValueError('it is 7')")
            return len(self._lines) - 1
        if s.kind == "failing":
            return self._caught(f"{self._await}{context}.step(broken, name={name}, config=once())", "StepError")
        if s.kind == "failed":
            function = self._function("child", "{inner}", s.body, number, "raise ValueError('mishap')")
            return self._caught(f"{self._await}{context}.run_in_child_context({function}, {name})", "ChildContextError")
        if s.kind == "ask":
            asked = self._local("asked")
            line = self._out(f"{asked} = {context}.create_callback(name={name})")
            self._out(f"{context}.step(lambda _: answer({asked}.callback_id), name={name} + ' sent')")
            self._out(f"{asked}.result()")
            return line
        if s.kind == "step":
            return self._out(f"{self._await}{context}.step(lambda _: 7, name={name}{step})")
        if s.kind == "wait":
            return self._out(f"{self._await}{context}.wait(Duration.from_seconds(1), name={name})")
        if s.kind == "invoke":
            return self._out(f"{self._await}{context}.invoke('other', 1, name={name})")
        if s.kind == "condition":
            return self._out(f"{self._await}{context}.wait_for_condition(lambda n, _: n + 1, met(), name={name})")
        if s.kind == "waitcb":
            return self._out(f"{self._await}{context}.wait_for_callback(lambda key, _: answer(key), name={name})")
        if s.kind == "callback":
            return self._out(f"{self._await}{context}.create_callback(name={name})")
        if s.kind == "child":
            function = self._function("child", "{inner}", s.body, number, "return 'x' * 300_000" if s.large else "")
            config = f", ChildConfig(sub_type={s.sub_type!r})" if s.sub_type else ""
            return self._out(f"{self._await}{context}.run_in_child_context({function}, {name}{config})")
        if s.kind == "retry":
            function, inner = self._local("tried"), self._local("inner")
            self._out(f"{self._def}{function}({inner}, run):")
            with self:
                self._body(s.body, inner)
                self._out("if run == 1: raise ValueError('again')")
            return self._out(f"{self._await}with_retry({context}, {function}, retried(), {name})")
        if s.kind == "map":
            end = "return 'x' * 150_000" if s.large else ""
            function = self._function("item", "{inner}, item, index, items", s.body, end=end)
            return self._out(f"{self._await}{context}.map({list(range(s.count))}, {function}, {name})")
        assert s.kind == "parallel"
        made = []
        for branch in s.body:
            function = self._function("branch", "{inner}", branch.body)
            made.append(f"ParallelBranch({function}, {branch.name!r})" if branch.name else function)
        line = self._out(f"{self._await}{context}.parallel([{', '.join(made)}], {name})")
        for branch in s.body:
            branch.line = line
        return line


def within(statements: Plan) -> Iterator[Statement]:
    """All statements, and those in them."""
    for s in statements:
        yield s
        yield from within([*s.body, *s.orelse])


def original(name: str) -> str:
    """The source of a handler as it was when its history was recorded."""
    is_async, statements = HANDLERS[name]
    return Writer(is_async).write(copy.deepcopy(statements))


def harmless(name: str, count: int, seed: int) -> list[str]:
    """The same handler, written differently."""
    is_async, statements = HANDLERS[name]
    chance = random.Random(f"{name} harmless {seed}")
    return [Writer(is_async, chance).write(copy.deepcopy(statements)) for _ in range(count)]


# --- what handlers call -----------------------------------------------------------------------------------------------

_answering: list[Callable[[str], None]] = []


@contextmanager
def answered_by(complete: Callable[[str], None]) -> Iterator[None]:
    """What completes callbacks meanwhile."""
    _answering.append(complete)
    try:
        yield
    finally:
        _answering.pop()


def answer(callback_id: str) -> None:
    """Complete a callback, in the submitter that hands it out."""
    _answering[-1](callback_id)


def met() -> object:
    """A condition that is met at the second check."""
    from durable_execution_sdk.waits import WaitForConditionConfig, WaitStrategyConfig, create_wait_strategy

    return WaitForConditionConfig(create_wait_strategy(WaitStrategyConfig(lambda n: n < 2)), 0)


def broken(_: object) -> None:
    """A body that fails."""
    raise OSError("out of order")


def once() -> object:
    """One attempt."""
    from durable_execution_sdk.config import StepConfig
    from durable_execution_sdk.retries import RetryDecision

    return StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())


def retried() -> object:
    """Two runs."""
    from durable_execution_sdk.retries import WithRetryConfig

    return WithRetryConfig()
