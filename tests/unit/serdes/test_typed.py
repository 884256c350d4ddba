"""Classes of the user's own: they come back as they were, and what does not fit is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar
from uuid import UUID

import attrs
import pydantic
import pytest

from durable_execution_sdk.exceptions import SerDesError, ValidationError
from durable_execution_sdk.serdes import (
    EXTENDED_TYPES_SERDES,
    SerDes,
    SerDesContext,
    create_class_serdes,
    create_class_serdes_with_dates,
    create_return_serdes,
    create_type_serdes,
    serialize,
)

T = TypeVar("T")
CONTEXT = SerDesContext("op", "arn")
OrderId = NewType("OrderId", int)


def round_trip(serdes: SerDes[T], value: T) -> T:
    return serdes.deserialize(serdes.serialize(value, CONTEXT), CONTEXT)


class Color(Enum):
    RED = 1
    BLUE = "b"


class Level(IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    tags: set[str]


class Row(TypedDict):
    color: Color


@attrs.frozen
class Line:
    sku: str
    colors: list[Color] = attrs.field(factory=list)


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    when: datetime
    tags: set[str] = pydantic.Field(alias="labels")
    price: Decimal


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


@dataclass(frozen=True, slots=True)
class Box(Generic[T]):
    item: T


@dataclass
class Everything:
    number: int
    color: Color
    level: Level
    names: frozenset[str]
    line: Line
    model: Model
    box: Box[Color]
    point: Point
    row: Row
    by_number: dict[int, Color]
    by_color: dict[Color, int]
    choice: int | str | None
    many: tuple[int, ...]
    pair: tuple[Color, Decimal]
    order: OrderId
    noted: Annotated[set[int], "why"]
    word: Literal["a", "b"]
    sequence: Sequence[Color]
    mapping: Mapping[str, Line]
    uuid: UUID
    day: date
    raw: bytes
    anything: Any
    parent: Optional[Everything] = None  # noqa: UP045  # the older spelling has to work too
    ratio: float = 1.0
    hidden: list[int] = field(default_factory=list, init=False, repr=False)


def everything() -> Everything:
    made = Everything(
        number=1,
        color=Color.BLUE,
        level=Level.LOW,
        names=frozenset("ab"),
        line=Line("s", [Color.RED]),
        model=Model(when=datetime(2026, 1, 1, tzinfo=UTC), labels={"x"}, price=Decimal("1.10")),
        box=Box(Color.RED),
        point=Point(1, {"t"}),
        row={"color": Color.RED},
        by_number={7: Color.RED},
        by_color={Color.BLUE: 1},
        choice=None,
        many=(1, 2),
        pair=(Color.RED, Decimal(3)),
        order=OrderId(5),
        noted={3},
        word="a",
        sequence=[Color.RED],
        mapping={"k": Line("m")},
        uuid=UUID(int=5),
        day=date(2026, 1, 2),
        raw=b"\x00",
        anything={"free": [1]},
        ratio=2,
    )
    made.hidden.append(4)
    return made


def test_everything_comes_back() -> None:
    value = everything()
    value.parent = everything()
    again = round_trip(create_class_serdes(Everything), value)
    assert again == value
    assert again.parent is not None
    assert again.hidden == again.parent.hidden == [4]
    assert type(again.level) is Level
    assert type(again.ratio) is float


def test_what_is_written_is_plain_data() -> None:
    text = create_class_serdes(Line).serialize(Line("s", [Color.BLUE]), CONTEXT)
    assert EXTENDED_TYPES_SERDES.deserialize(text) == {"sku": "s", "colors": ["b"]}


def test_sets_are_written_in_order() -> None:
    serdes: SerDes[set[str]] = create_type_serdes(set[str])
    assert serdes.serialize({"b", "c", "a"}, CONTEXT) == '["a","b","c"]'


class Plain:
    """Neither a dataclass nor anything like it."""

    seen: set[int]

    def __init__(self, first: int) -> None:
        self.seen = {first}
        self.note = "n"


class Slotted:
    __slots__ = ("a", "b")

    a: set[int]


def test_plain_classes() -> None:
    again = round_trip(create_class_serdes(Plain), Plain(3))
    assert (type(again), again.seen, again.note) == (Plain, {3}, "n")
    slotted = Slotted()
    slotted.a = {1}
    back = round_trip(create_class_serdes(Slotted), slotted)
    assert back.a == {1}
    assert not hasattr(back, "b")


def test_init_does_not_run_again() -> None:
    runs = []

    @dataclass
    class Counted:
        value: int

        def __post_init__(self) -> None:
            runs.append(self.value)

    assert round_trip(create_class_serdes(Counted), Counted(1)) == Counted(1)
    assert runs == [1, 1]  # the two that the test made


def test_none_is_an_instance_of_every_class() -> None:
    assert round_trip(create_class_serdes(Line), None) is None  # type: ignore[misc]  # functions return Optional


def test_generic_models() -> None:
    page = Page[Color](items=[Color.RED])
    assert round_trip(create_class_serdes(Page[Color]), page) == page
    assert round_trip(create_type_serdes(Box[Line]), Box(Line("s"))) == Box(Line("s"))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (list[Line], [Line("a")]),
        (dict[str, Line] | None, {"a": Line("a")}),
        (Line | Point | None, Point(1, {"a"})),
        (Line | Box[int], Box(3)),
        (set[Color], {Color.RED, Color.BLUE}),
        (tuple[Line, int], (Line("a"), 3)),
        (list, [1, "a"]),
        (Any, {"a": (1,)}),
        (None, None),
        (object, [1]),
    ],
)
def test_any_annotation(annotation: Any, value: Any) -> None:
    assert round_trip(create_type_serdes(annotation), value) == value


@dataclass
class Newer:
    """Recorded when it had only `kept` and `dropped`."""

    kept: int
    constant: str = "c"
    made: list[int] = field(default_factory=list)


@attrs.define
class NewerLine:
    kept: int
    constant: str = "c"
    made: list[int] = attrs.Factory(list)


@dataclass
class Demanding:
    kept: int
    missing: int


OLD = EXTENDED_TYPES_SERDES.serialize({"kept": 1, "dropped": 2})


def test_fields_may_come_and_go() -> None:
    assert create_class_serdes(Newer).deserialize(OLD, CONTEXT) == Newer(1)
    assert create_class_serdes(NewerLine).deserialize(OLD, CONTEXT) == NewerLine(1)
    with pytest.raises(SerDesError, match="missing is missing, and Demanding has no default"):
        create_type_serdes(Demanding).deserialize(OLD, CONTEXT)


@pytest.mark.parametrize(
    ("annotation", "recorded", "complaint"),
    [
        (Line, [1], "Line: expected the fields of Line, recorded is list"),
        (int, "x", "int: expected int, recorded is str"),
        (Color, 9, "9 is no value of Color"),
        (list[int], [1, "x"], r"list\[1\]: expected int, recorded is str"),
        (dict[str, int], {"a": "b"}, r"dict\['a'\]: expected int"),
        (tuple[int, int], (1,), "expected 2 elements"),
        (Literal["a"], "b", "expected one of"),
        (int | Line, "x", "no member of the union fits"),
        (None, 1, "expected None"),
        (Line, {"sku": 1}, r"Line\.sku: expected str, recorded is int"),
        (Model, {"when": "no"}, "Model"),
        (Point, [1], "expected Point"),
    ],
)
def test_what_does_not_fit_is_said(annotation: Any, recorded: Any, complaint: str) -> None:
    text = EXTENDED_TYPES_SERDES.serialize(recorded)
    with pytest.raises(SerDesError, match=complaint):
        create_type_serdes(annotation).deserialize(text, CONTEXT)


def test_another_class_is_refused_when_writing() -> None:
    with pytest.raises(SerDesError, match="expected an instance of Line, got Box"):
        create_class_serdes(Line).serialize(Box(1), CONTEXT)  # type: ignore[arg-type]  # refused, which is the point


def test_a_cycle_is_a_serialization_failure() -> None:
    value = everything()
    value.parent = value
    with pytest.raises(SerDesError, match="RecursionError"):
        serialize(create_class_serdes(Everything), value, "op", "arn")


@dataclass
class Customer:
    since: datetime
    visits: list[datetime]


@dataclass
class Account:
    customers: list[Customer]
    opened: datetime | None = None


def test_dates_recorded_as_text() -> None:
    text = "2026-01-02T03:04:05+00:00"
    moment = datetime.fromisoformat(text)
    recorded = EXTENDED_TYPES_SERDES.serialize({"customers": [{"since": text, "visits": [text, text]}], "opened": text})
    paths = ["opened", "customers.since", "customers.visits", "customers.none", "none.at.all"]
    serdes = create_class_serdes_with_dates(Account, paths)
    assert serdes.deserialize(recorded, CONTEXT) == Account([Customer(moment, [moment, moment])], moment)
    assert round_trip(serdes, Account([Customer(moment, [])])) == Account([Customer(moment, [])])
    with pytest.raises(SerDesError, match=r"expected datetime, recorded is str"):
        create_class_serdes(Account).deserialize(recorded, CONTEXT)


def load(_context: object) -> set[int]:
    return {1}


def say_nothing(_context: object):  # type: ignore[no-untyped-def]  # without an annotation, which is the point
    return 1


def test_what_a_function_says_it_returns() -> None:
    assert round_trip(create_return_serdes(load), {2, 3}) == {2, 3}
    with pytest.raises(ValidationError, match="func must be annotated with what it returns"):
        create_return_serdes(say_nothing)


@pytest.mark.parametrize("bad", [3, "Line", [Line]])
def test_bad_classes_are_refused(bad: Any) -> None:
    with pytest.raises(ValidationError, match="cls must be a class"):
        create_class_serdes(bad)
    with pytest.raises(ValidationError, match="date_props must be a list"):
        create_class_serdes_with_dates(Line, "since")


def test_fields_of_dataclasses_are_not_renamed() -> None:
    assert {entry.name for entry in dataclasses.fields(Everything)} == set(
        EXTENDED_TYPES_SERDES.deserialize(create_class_serdes(Everything).serialize(everything(), CONTEXT))
    )
