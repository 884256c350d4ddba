"""`Duration`, and the other spellings of one that its parameters take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias, overload

from durable_execution_sdk._model.checks import refusal
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value

_SECONDS_OF: Final[Mapping[str, int]] = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class Duration(Value):
    """A length of time in whole seconds; fractions are cut.

    Wherever a parameter or a field takes a `Duration`, it also takes a `timedelta`, or a mapping with keys out of
    `days`, `hours`, `minutes` and `seconds`. Bare numbers are refused there: nobody can tell their unit.

    Args:
        seconds: Zero or more.

    Raises:
        ValidationError: The number is negative, not finite, or no number.

    Example:
        >>> from durable_execution_sdk.config import Duration
        >>> Duration.from_minutes(1.5)
        Duration(seconds=90)
    """

    seconds: int = 0

    def __post_init__(self) -> None:
        if type(self.seconds) is not int or self.seconds < 0:
            object.__setattr__(self, "seconds", _whole_seconds("seconds", self.seconds))

    def to_seconds(self) -> int:
        """Whole seconds."""
        return self.seconds

    @classmethod
    def from_seconds(cls, value: float) -> Duration:
        """So many seconds."""
        return cls(_whole_seconds("value", value))

    @classmethod
    def from_minutes(cls, value: float) -> Duration:
        """So many minutes."""
        return cls(_whole_seconds("value", value, 60))

    @classmethod
    def from_hours(cls, value: float) -> Duration:
        """So many hours."""
        return cls(_whole_seconds("value", value, 3_600))

    @classmethod
    def from_days(cls, value: float) -> Duration:
        """So many days."""
        return cls(_whole_seconds("value", value, 86_400))


DurationLike: TypeAlias = Duration | timedelta | Mapping[str, float]


def _whole_seconds(argument: str, value: object, unit: int = 1) -> int:
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise refusal(argument, value, "a finite number, zero or more")
    return int(value * unit)


def as_duration(argument: str, value: object) -> Duration:
    """The `Duration` meant by an argument of that name.

    Raises:
        ValidationError: It is none of `DurationLike`, or negative.
    """
    if isinstance(value, Duration):
        return value
    if isinstance(value, timedelta):
        if value < timedelta():
            raise refusal(argument, value, "zero or more")
        return Duration(value // timedelta(seconds=1))
    if isinstance(value, Mapping):
        unknown = [unit for unit in value if unit not in _SECONDS_OF]
        if unknown or not value:
            raise refusal(argument, value, f"a mapping with keys out of {', '.join(_SECONDS_OF)}")
        for unit, count in value.items():
            if not isinstance(count, int | float) or not math.isfinite(count) or count < 0:
                raise refusal(f"{argument}[{unit!r}]", count, "a finite number, zero or more")
        return Duration(int(sum(count * _SECONDS_OF[unit] for unit, count in value.items())))
    hint = " (write Duration.from_seconds(...))" if isinstance(value, int | float) else ""
    raise refusal(argument, value, f"a Duration, a timedelta or a mapping such as {{'minutes': 5}}{hint}")


class DurationField:
    """A dataclass field that takes anything `DurationLike` and holds a `Duration`.

    A descriptor, so that type checkers see both sides: the constructor takes what `__set__` takes, reading gives what
    `__get__` gives. It works on frozen dataclasses too, whose constructors assign through `object.__setattr__`.
    """

    __slots__ = ("_default", "_name")

    def __init__(self, default: Duration | None = None) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Duration: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Duration: ...
    def __get__(self, instance: object | None, owner: type) -> Duration:
        if instance is not None:
            duration: Duration = instance.__dict__[self._name]
            return duration
        if self._default is None:
            raise AttributeError(self._name)  # tells dataclass() that the field has no default
        return self._default

    def __set__(self, instance: object, value: DurationLike) -> None:
        instance.__dict__[self._name] = as_duration(self._name, value)


def check_at_most(argument: str, value: Duration, most: int) -> None:
    """Accept durations up to `most` seconds, the limit of the Lambda API."""
    if value.seconds > most:
        raise ValidationError(f"{argument} must be at most {most} seconds (Lambda API), got: {value.seconds}")
