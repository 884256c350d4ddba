"""Histories that end in the middle, and what a check of a changed handler must say of them.

A history is cut where its events may be cut: after any of them, for that is what AWS shows of an execution that runs.
What is expected comes from the plans: both are laid out, what is not recorded yet is taken from the one of then, and
the first place is looked for in which something is recorded and something else is asked for.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from durable_execution_sdk._core import operation_id, task_scope_prefix
from durable_execution_sdk.replay import History, Recording, history_from
from durable_execution_sdk.replay.events import operations_of
from tests.support.replay_changes import Laid, Mutation, blocks, laid_out
from tests.support.replay_corpus import HANDLERS, Writer

BATCHES = {"map", "parallel"}
OPEN = {"STARTED", "PENDING", "READY"}
UNHARMED = {"clean", "frontier"}


def cut(recording: Recording, events: int) -> History:
    """The history after so many of its events."""
    derived = operations_of(recording.arn, recording.events[:events])
    whole = {record["Id"]: record for record in recording.operations}
    records = [derived.operations[0]]
    # The events do not tell whether a finished context is entered again, the record does.
    records += [record if record["Status"] in OPEN else whole[record["Id"]] for record in derived.operations[1:]]
    return replace(history_from(recording), operations=records, complete=False, failed=False)


@dataclass(eq=False)
class Recorded:
    """An operation of the plan that is recorded, with those in it: None where nothing is."""

    laid: Laid
    inside: list[Recorded | None]
    may_go_on: bool
    """Whether more may be asked for in it than is recorded."""


def recorded_part(handler: str, records: Sequence[Mapping[str, Any]]) -> list[Recorded | None]:
    """What of a handler's plan is in a history."""
    is_async, statements = HANDLERS[handler]
    plan = copy.deepcopy(statements)
    Writer(is_async).write(plan)
    known = {record["Id"]: record for record in records}

    def part(laid: Sequence[Laid], prefix: str | None, *, in_batch: bool) -> list[Recorded | None]:
        found: list[Recorded | None] = []
        position = -1 if in_batch else 0
        for one in laid:
            if one.shape[0] == "task":
                key = task_scope_prefix(prefix, f"handler.<locals>.{one.shape[2]}", 1)
                # What is recorded after the tasks says that they have ended.
                waits = not any(other is not None and other.laid.comes_after_tasks for other in found)
                found.append(Recorded(one, part(one.inside, key, in_batch=False), may_go_on=waits))
                continue
            position += 1
            key = operation_id(prefix, position)
            record = known.get(key)
            if record is None:
                found.append(None)
                continue
            inside = part(one.inside, key, in_batch=one.statement.kind in BATCHES and one.shape[2] != "")
            found.append(Recorded(one, inside, may_go_on=record["Status"] in {*OPEN, "FAILED"}))
        while found and found[-1] is None:
            found.pop()
        return found

    return part(laid_out(plan), None, in_batch=False)


def first_departure(before: list[Recorded | None], now: list[Laid]) -> tuple[Recorded | None, Laid | None]:
    """The first place where something else is asked for than is recorded; else the first that is not asked for."""
    missing: Recorded | None = None
    for old, new in departures(before, now, may_go_on=True):
        if new is not None:
            return old, new
        missing = missing or old
    return missing, None


def departures(
    before: list[Recorded | None], now: list[Laid], *, may_go_on: bool
) -> Iterator[tuple[Recorded | None, Laid | None]]:
    """The first of each scope."""
    tasks = {new.shape: new for new in now if new.shape[0] == "task"}
    for old in before:
        if old is not None and old.laid.shape in tasks:
            yield from departures(old.inside, tasks[old.laid.shape].inside, may_go_on=old.may_go_on)
    before = [old for old in before if old is None or old.laid.shape[0] != "task"]
    now = [new for new in now if new.shape[0] != "task"]
    for old, new in zip(before, now, strict=False):
        if old is None:
            continue  # a branch that has not begun
        if old.laid.shape != new.shape:
            yield old, new
            return
        yield from departures(old.inside, new.inside, may_go_on=old.may_go_on)
    if len(before) > len(now):
        yield before[len(now)], None
    elif len(now) > len(before) and not may_go_on:
        yield None, now[len(before)]


def shapes_in(laid: Sequence[Laid]) -> Iterator[tuple[str, str, str]]:
    """Those of all operations."""
    for one in laid:
        yield one.shape
        yield from shapes_in(one.inside)


def shapes_recorded(part: Sequence[Recorded | None]) -> Iterator[tuple[str, str, str]]:
    """Those of all that is recorded."""
    for one in part:
        if one is not None:
            yield one.laid.shape
            yield from shapes_recorded(one.inside)


def may_be_said(mutation: Mutation, part: list[Recorded | None]) -> tuple[set[str], set[int | None]]:
    """What a check may say of a changed handler over what is recorded, and at which line.

    That is the cause of the change; where what would tell is not recorded yet, also what looks the same.
    """
    now = laid_out(mutation.now)
    old, new = first_departure(part, now)
    if old is new is None:
        return UNHARMED, {None}
    if new is None:
        assert old is not None
        if old.laid.is_branch:
            name = mutation.what.split()[-1]
            return {"ambiguous", "removed"}, {
                None,
                *(s.line for b in blocks(mutation.now) for s in b if s.name == name),
            }
        return {"ambiguous", *({"moved"} & {mutation.cause})}, {None}
    causes = {mutation.cause} - {"ambiguous"}
    lines: set[int | None] = {new.line}
    if mutation.kind == "branches":
        lines |= {s.line for block in blocks(mutation.now) for s in block if s.name == mutation.what.split()[-1]}
        if mutation.cause == "reordered":
            causes |= {"moved", "renamed"}  # into another branch, which has not begun
    asked, recorded = Counter(shapes_in(now)), Counter(shapes_recorded(part))
    if old is None:
        return causes | {"inserted"}, lines
    if asked[new.shape] > recorded[new.shape]:
        causes.add(
            "inserted" if asked[old.laid.shape] >= recorded[old.laid.shape] else relabelled(old.laid.shape, new.shape)
        )
    elif asked[old.laid.shape] < recorded[old.laid.shape]:
        causes.add("removed")
    if new.comes_after_tasks:
        # Where a task has come to the frontier, the code after it does not run.
        causes.add("ambiguous")
        lines.add(None)
    return causes, lines


def relabelled(old: tuple[str, str, str], new: tuple[str, str, str]) -> str:
    """What it is called when the one has become the other."""
    if old[0] != new[0]:
        return "type changed"
    return "subtype changed" if old[1] != new[1] else "renamed"
