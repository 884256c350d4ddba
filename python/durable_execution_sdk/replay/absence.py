"""Histories that do not hold everything, checked for what they do hold.

**Payloads that are not there** (masked, truncated, left out). User code gets a stand-in for the value. It may be passed
on, put away and returned; whoever looks at it, by whatever means Python tells of, ends at that line, as if nothing more
were recorded, and the history is not checkable from there: neither clean nor diverged. What cannot be noticed is `is`,
which is why a null is never masked, and `type()`. An operation that failed with an error that is not there ends the
code at once: any handler of the error might look at it.

**Contexts of which it is open whether they are entered again** (AWS does not tell). The history is checked both ways,
every such context answered from its own record, and every one entered again for its children. What comes out the same
both ways is the verdict; what does not is not checkable.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn, Protocol, TypeVar

from durable_execution_sdk._drivers.bodies import is_async
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.absent import AbsentRead, AbsentText
from durable_execution_sdk._model.signals import SuspendExecution
from durable_execution_sdk.replay.comparing import shape_of
from durable_execution_sdk.replay.events import LEFT_OUT
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.offline import calling_line, observe

Handler = Callable[..., Any]

_PACKAGE: Final = str(Path(__file__).resolve().parents[1])
_DETAILS: Final = {
    "CONTEXT": "ContextDetails",
    "STEP": "StepDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
}
_ENDED_BADLY: Final = frozenset({"FAILED", "TIMED_OUT", "STOPPED", "CANCELLED"})


class Verdict(Protocol):
    """What a check found, as far as it matters here."""

    @property
    def verdict(self) -> str: ...
    @property
    def ok(self) -> bool: ...


R = TypeVar("R", bound=Verdict)

Check = Callable[[Handler, History], R]
Refuse = Callable[[History, int, str, str | None], R]
"""Makes the report of a history that is not checkable: how many operations agreed, why, and at which line."""


def is_whole(history: History) -> bool:
    """Whether a history holds everything that a check needs."""
    return not history.unreadable and not history.uncertain and history.problem is None


def check_the_rest(handler: Handler, history: History, check: Check[R], refuse: Refuse[R]) -> R:
    """Check a history that is not whole.

    Args:
        handler: The result of `@durable_execution`.
        history: One that is not whole.
        check: Checks one that is.
        refuse: Says that one cannot be checked.
    """
    if history.problem is not None:
        return refuse(history, 0, history.problem, None)
    if not history.uncertain:
        return _readable(handler, history, check, refuse)
    own = _readable(handler, replace(history, uncertain=()), check, refuse)
    again = _readable(handler, _entered_again(history), check, refuse)
    if own.verdict == again.verdict:
        return own
    if own.ok and again.ok:
        return own if own.verdict == "frontier" else again  # what is known to agree both ways
    first = next(record for record in history.operations if record["Id"] in history.uncertain)
    note = (
        f"it is not recorded whether finished contexts such as {shape_of(first)} are entered again: answered from "
        f"their own records the history is {own.verdict}, entered again it is {again.verdict}"
    )
    return refuse(history, 0, note, None)


def _entered_again(history: History) -> History:
    operations = [
        {**record, "ContextDetails": {**(record.get("ContextDetails") or {}), "ReplayChildren": True}}
        if record["Id"] in history.uncertain
        else record
        for record in history.operations
    ]
    return replace(history, operations=operations, uncertain=())


# --- payloads that are not there ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Reads:
    """Who was given a stand-in, and who looked."""

    given_unknown: int = 0
    """Values given that may have been None, which code can see without being noticed."""
    looked: list[tuple[str, str | None]] = field(default_factory=list)


def _readable(handler: Handler, history: History, check: Check[R], refuse: Refuse[R]) -> R:
    if not history.unreadable:
        return check(handler, history)
    reads = _Reads()
    known = _with_stand_ins(history, reads)
    watched = _given_the_input(handler, history, reads)
    agreed = 0
    with suppress(SuspendExecution), _one_of_many():
        seen = observe(watched, known)
        agreed = len({*seen.met} & {record["Id"] for record in history.operations})
    if reads.looked:
        what, line = reads.looked[0]
        return refuse(history, agreed, f"the code looks at {what}; not checked from there", line)
    report = None
    with suppress(SuspendExecution), _one_of_many():  # a group inside a context ends the whole invocation
        report = check(watched, known)
    if report is None or (report.ok and reads.looked):
        what, line = reads.looked[0]
        return refuse(history, agreed, f"inside a context that has ended, the code looks at {what}", line)
    if not report.ok and reads.given_unknown:
        note = f"it is {report.verdict} unless a payload that was left out is null, which code may tell by `is`"
        return refuse(history, agreed, note, None)
    return report


def _with_stand_ins(history: History, reads: _Reads) -> History:
    operations = []
    for record in history.operations:
        why = history.unreadable.get(record["Id"])
        details = _DETAILS.get(record["Type"])
        if why is None or details is None:
            operations.append(record)
            continue
        what = (
            f"the {'result' if record.get('Status') == 'SUCCEEDED' else 'error'} of {shape_of(record)}, which is {why}"
        )
        if record.get("Status") in _ENDED_BADLY:
            # An error is raised, not handed over: this takes its place, and is looked at as soon as it is delivered.
            text = AbsentText(partial(_look, reads, what))
            kept = {key: value for key, value in (record.get(details) or {}).items() if key != "Error"}
            operations.append({**record, "Status": "SUCCEEDED", details: {**kept, "Result": text}})
            continue
        text = AbsentText(partial(_stand_in, reads, what, why))
        operations.append({**record, details: {**(record.get(details) or {}), "Result": text}})
    return replace(history, operations=operations, unreadable={})


def _given_the_input(handler: Handler, history: History, reads: _Reads) -> Handler:
    """The handler, which gets a stand-in for its input if that is not there, and whose result nobody writes."""
    durable: DurableFunction = handler.__durable__  # type: ignore[attr-defined]  # the decorator sets it
    user = durable.handler
    why = history.unreadable.get(history.operations[0]["Id"])

    def given(event: Any) -> Any:
        return event if why is None else _stand_in(reads, f"the input, which is {why}", why)

    if is_async(user):

        async def watched_async(event: Any, context: Any) -> None:
            with _one_of_many():
                await user(given(event), context)

        watched: Any = watched_async
    else:

        def watched_plain(event: Any, context: Any) -> None:
            with _one_of_many():
                user(given(event), context)

        watched = watched_plain

    def entry(event: Any, context: Any) -> NoReturn:
        raise AssertionError("only checks use it, by `__durable__`")

    entry.__durable__ = DurableFunction(watched)  # type: ignore[attr-defined]  # as the decorator does
    return entry


@contextmanager
def _one_of_many() -> Iterator[None]:
    """Task groups wrap what their tasks raise, and so hide that the code ended because it looked."""
    try:
        yield
    except BaseExceptionGroup as group:
        if group.subgroup(AbsentRead) is None:
            raise
        raise SuspendExecution("A check of recorded histories ends here: a task looked.") from None


def _stand_in(reads: _Reads, what: str, why: str) -> Any:
    if why == LEFT_OUT:
        reads.given_unknown += 1
    return _Absent(lambda: _look(reads, what, why))


def _look(reads: _Reads, what: str, why: str = "") -> NoReturn:
    seen = (what, calling_line())
    reads.looked.append(seen)
    raise AbsentRead(
        f"A check of recorded histories ends here: the code looks at {what}.",
        AbsentText(partial(_stand_in, reads, what, why)),
        lambda: reads.looked.remove(seen),
    )


def _asked_by_the_sdk() -> bool:
    """Whether `isinstance` is asked by the drivers, which only want to know what may be awaited."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith("<frozen") and Path(name).name not in {"inspect.py", "abc.py"}:
            return name.startswith(_PACKAGE) and frame.f_code.co_name not in {"encode", "serialize"}
        frame = frame.f_back
    return False


class _Absent:
    """The stand-in for a value that is not there. Whatever Python asks of it is told to `look`, which raises."""

    __slots__ = ("_look",)

    def __init__(self, look: Callable[[], NoReturn]) -> None:
        object.__setattr__(self, "_look", look)

    @property
    def __class__(self) -> Any:
        if _asked_by_the_sdk():
            return _Absent
        return self._look()

    @__class__.setter
    def __class__(self, value: Any) -> None:
        self._look()

    def __getattr__(self, name: str) -> Any:
        return self._look()


def _looks(self: _Absent, *_: Any, **__: Any) -> NoReturn:
    object.__getattribute__(self, "_look")()
    raise AssertionError("looking raises")


_UNARY: Final = (
    "bool len hash str repr bytes iter next reversed int float complex index round trunc floor ceil neg pos abs invert "
    "enter exit aenter aexit call getitem setitem delitem contains missing length_hint fspath dir "
    "sizeof reduce reduce_ex copy deepcopy setattr delattr format eq ne lt le gt ge buffer instancecheck "
    "subclasscheck getstate"
)
_BINARY: Final = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
for _word in _UNARY.split():
    setattr(_Absent, f"__{_word}__", _looks)
for _word in _BINARY.split():
    for _prefix in ("", "r", "i"):
        if (_prefix, _word) != ("i", "divmod"):
            setattr(_Absent, f"__{_prefix}{_word}__", _looks)
del _word, _prefix


__all__ = ["check_the_rest", "is_whole"]
