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


def places(records: Sequence[Record]) -> dict[str, Place]:
    """Where each operation is; scopes of virtual contexts, which record nothing, are looked into."""
    known = {record["Id"] for record in records}
    found: dict[str, Place] = {}
    scopes: list[str | None] = [None]
    while scopes:
        prefix = scopes.pop()
        position = 1
        while (here := operation_id(prefix, position)) in known or operation_id(here, 1) in known:
            if here in known:
                found[here] = Place(prefix, position)
            scopes.append(here)
            position += 1
    return found


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
    position = 1
    while (below := operation_id(old, position)) in known or operation_id(below, 1) in known:
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
