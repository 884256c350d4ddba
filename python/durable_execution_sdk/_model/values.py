"""Small frozen values: equality, hash and text, written once.

`@dataclass` generates these methods for each class by compiling source, which for the many small classes here would be
a quarter of what importing the package costs. Classes below `Value` are declared with `eq=False, repr=False`, or with
`value`, if users never see them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, dataclass_transform

_V = TypeVar("_V", bound="Value")


@dataclass_transform(frozen_default=True, eq_default=False)
def value(value_class: type[_V]) -> type[_V]:
    """A dataclass with slots below `Value`, frozen for type checkers alone.

    To refuse assignments, `@dataclass` compiles two more methods for each class, a tenth of the package's import, and
    its constructors set each field through a call.
    """
    return dataclass(slots=True, eq=False, repr=False)(value_class)


class Value:
    """Base of dataclasses: equal to a value of the same class with equal fields."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented  # the other one may know better, as `unittest.mock.ANY` does
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash((type(self), *_values(self)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
        return f"{type(self).__qualname__}({fields})"


def draft_of(value_class: type[Value]) -> type[Any]:
    """A class of the same layout whose fields can be set: fill an instance, then give it the class of the value.

    For values that are made often. The constructor of a frozen dataclass sets each field through a call, which for a
    dozen of them takes seven times as long as this.
    """
    return type("Draft", (Value,), {"__slots__": value_class.__slots__})


def _values(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in value.__dataclass_fields__)
