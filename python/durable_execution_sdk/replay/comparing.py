"""The shape of a history, and what it would be had the code always done something else. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from durable_execution_sdk._core import operation_id

Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What identifies an operation apart from its place."""

    kind: str
    sub_type: str
    name: str

    def __str__(self) -> str:
        return f"{self.sub_type or self.kind} {self.name!r}" if self.name else f"{self.sub_type or self.kind} (unnamed)"


def shape_of(record: Record) -> Shape:
    """The shape of a record."""
    return Shape(record["Type"], record.get("SubType") or "", record.get("Name") or "")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation is: the prefix of its scope's ids, and its number there, from 1."""

    prefix: str | None
    position: int


_LONGEST_GAP = 64
"""Places in a row without a record that a scope may have: branches that were never started, virtual contexts."""


def places(records: Sequence[Record]) -> dict[str, Place]:
    """Where each operation is; scopes of virtual contexts, which record nothing, are looked into.

    Scopes of tasks of `async def` handlers are not found: their ids come from names of functions.
    """
    known = {record["Id"] for record in records}
    expected: dict[str | None, int] = {}
    for record in records[1:]:
        parent = record.get("ParentId") or None
        expected[parent] = expected.get(parent, 0) + 1
    found: dict[str, Place] = {}
    scopes: list[str | None] = [None]
    while scopes:
        prefix = scopes.pop()
        left, gap, position = expected.get(prefix, 0), 0, 0  # branches of a batch are counted from 0
        while gap < _LONGEST_GAP:
            here = operation_id(prefix, position)
            if here in known:
                found[here] = Place(prefix, position)
                left -= 1
            inside = here in expected or any(operation_id(here, first) in known for first in (0, 1))
            if inside:
                scopes.append(here)
            if here in known or inside:
                gap = 0
            elif left <= 0 and position:
                break
            else:
                gap += 1
            position += 1
    return found


def reopened(records: Sequence[Record]) -> list[Record] | None:
    """The history in which every context that succeeded is entered again for its children; None if there is none."""
    parents = {record.get("ParentId") for record in records}
    changed = False
    result: list[Record] = []
    for record in records:
        details = record.get("ContextDetails") or {}
        inner = record["Type"] == "CONTEXT" and record.get("Status") == "SUCCEEDED" and record["Id"] in parents
        if inner and not details.get("ReplayChildren"):
            result.append({**record, "ContextDetails": {**details, "ReplayChildren": True}})
            changed = True
        else:
            result.append(record)
    return result if changed else None


def renamed(records: Sequence[Record], at: str, shape: Shape) -> list[Record]:
    """The history had the operation `at` always been of this shape."""
    new = {"Type": shape.kind, "SubType": shape.sub_type or None, "Name": shape.name or None}
    return [{**record, **new} if record["Id"] == at else record for record in records]


def without(records: Sequence[Record], place: Place) -> list[Record]:
    """The history had the operation at `place` never been there: those after it move up, with all in them."""
    known = {record["Id"] for record in records}
    moved: dict[str, str | None] = {}
    _move(known, moved, operation_id(place.prefix, place.position), None)
    position = place.position + 1
    while (here := operation_id(place.prefix, position)) in known or operation_id(here, 1) in known:
        _move(known, moved, here, operation_id(place.prefix, position - 1))
        position += 1
    return _relabelled(records, moved)


def swapped(records: Sequence[Record], place: Place) -> list[Record]:
    """The history had the operation at `place` and the next always been the other way round."""
    known = {record["Id"] for record in records}
    first, second = (operation_id(place.prefix, place.position + more) for more in (0, 1))
    moved: dict[str, str | None] = {}
    _move(known, moved, first, second)
    _move(known, moved, second, first)
    return _relabelled(records, moved)


def _move(known: set[str], moved: dict[str, str | None], old: str, new: str | None) -> None:
    moved[old] = new
    position = 0  # branches of a batch are counted from 0
    while (below := operation_id(old, position)) in known or operation_id(below, 1) in known or not position:
        if below in known or operation_id(below, 1) in known:
            _move(known, moved, below, None if new is None else operation_id(new, position))
        position += 1


def _relabelled(records: Sequence[Record], moved: Mapping[str, str | None]) -> list[Record]:
    result: list[Record] = []
    for record in records:
        new = moved.get(record["Id"], record["Id"])
        if new is None:
            continue
        parent = record.get("ParentId")
        result.append({**record, "Id": new, "ParentId": moved.get(parent, parent) if parent else parent})
    return result
