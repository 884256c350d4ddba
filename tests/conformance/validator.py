"""Does an execution satisfy a requirement?

Expectations are matched as follows: `'*'` is anything, as long as it is there; a mapping lists the members that must be
there and match; a list matches item by item; `${NAME}` is a variable, bound by the first value it meets; `${/…/}`, and
in logs `/…/`, is a pattern that the value's text must contain; all else must be equal, and of the same kind.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_GENERATED: Final = re.compile(r"\$\{GEN_STR:(\d+)\}")
_PATTERN: Final = re.compile(r"\$\{/(.*)/\}", re.DOTALL)
_LOG_PATTERN: Final = re.compile(r"/(.*)/", re.DOTALL)


class Bindings:
    """The variables of one run."""

    def __init__(self, declared: Mapping[str, str] | None, chance: random.Random) -> None:
        self._chance = chance
        self._values: dict[str, Any] = {}
        for name, text in (declared or {}).items():
            self._values[name] = self.fill(_GENERATED.sub(self._generate, text))

    def _generate(self, found: re.Match[str]) -> str:
        return "".join(self._chance.choices(string.ascii_letters + string.digits, k=int(found[1])))

    def fill(self, value: Any) -> Any:
        """A value with the variables in its texts put in.

        Raises:
            LookupError: One has no value.
        """
        match value:
            case str():
                return _VARIABLE.sub(lambda found: self._value(found[1]), value)
            case Mapping():
                return {key: self.fill(inner) for key, inner in value.items()}
            case list():
                return [self.fill(inner) for inner in value]
            case _:
                return value

    def _value(self, name: str) -> str:
        if name not in self._values:
            raise LookupError(f"variable {name} has no value")
        return str(self._values[name])

    def mismatches(self, expected: Any, actual: Any, at: str) -> Iterator[str]:
        """What is wrong with a value; nothing if it matches."""
        match expected:
            case "*":
                return
            case str():
                yield from self._text_mismatches(expected, actual, at)
            case Mapping():
                if not isinstance(actual, Mapping):
                    yield f"{at}: expected an object, got {actual!r}"
                    return
                for key, inner in expected.items():
                    if key in actual:
                        yield from self.mismatches(inner, actual[key], f"{at}.{key}")
                    else:
                        yield f"{at}.{key}: missing; there are {sorted(actual)}"
            case list():
                if not isinstance(actual, Sequence) or isinstance(actual, str) or len(actual) != len(expected):
                    yield f"{at}: expected a list of {len(expected)}, got {actual!r}"
                    return
                for index, inner in enumerate(expected):
                    yield from self.mismatches(inner, actual[index], f"{at}[{index}]")
            case _:
                if isinstance(expected, bool) is not isinstance(actual, bool) or expected != actual:
                    yield f"{at}: expected {expected!r}, got {actual!r}"

    def _text_mismatches(self, expected: str, actual: Any, at: str) -> Iterator[str]:
        if pattern := _PATTERN.fullmatch(expected):
            if isinstance(actual, bool) or not isinstance(actual, str | int | float):
                yield f"{at}: expected a text or number with {pattern[1]!r}, got {actual!r}"
            elif not re.search(pattern[1], str(actual)):
                yield f"{at}: expected something with {pattern[1]!r}, got {actual!r}"
            return
        variable = _VARIABLE.fullmatch(expected)
        if variable and variable[1] not in self._values:
            if isinstance(actual, str) and actual:
                self._values[variable[1]] = actual
            else:
                yield f"{at}: expected a text to bind {expected} to, got {actual!r}"
            return
        wanted = self.fill(expected)
        if actual != wanted:
            yield f"{at}: expected {wanted!r}{'' if wanted == expected else f' ({expected})'}, got {actual!r}"

    def is_logged(self, expected: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
        """Whether a log record is one of those described."""
        for key, wanted in expected.items():
            if key not in record:
                return False
            actual = record[key]
            if isinstance(wanted, str):
                filled = self.fill(wanted)
                pattern = _LOG_PATTERN.fullmatch(filled)
                if not (re.search(pattern[1], str(actual)) if pattern else filled == actual):
                    return False
            elif isinstance(wanted, bool) is not isinstance(actual, bool) or wanted != actual:
                return False
        return True


def result_problems(expected: Mapping[str, Any], status: str, result: Any, bindings: Bindings) -> list[str]:
    """Judge how an execution ended."""
    unknown = set(expected) - {"ExecutionStatus", "Result", "Error"}
    problems = [f"ExpectedResult.{key}: not known to the validator" for key in sorted(unknown)]
    actual = {"ExecutionStatus": status, "Result": result}
    return [*problems, *bindings.mismatches(expected, actual, "ExpectedResult")]


def history_problems(
    expected: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], bindings: Bindings
) -> list[str]:
    """Judge a history; events are found by their number, and those that nobody describes may be anything."""
    by_number = {event["EventId"]: event for event in events}
    problems: list[str] = []
    for wanted in expected:
        number = wanted["EventId"]
        if number not in by_number:
            problems.append(f"event {number}: expected {wanted['EventType']}, there are {len(events)} events")
            continue
        found = [*bindings.mismatches(wanted, by_number[number], f"event {number} ({wanted['EventType']})")]
        problems += found
    if problems:
        problems += ["the history is:", *(f"  {event['EventId']} {_shown(event)}" for event in events)]
    return problems


def _shown(event: Mapping[str, Any]) -> str:
    return str({key: value for key, value in event.items() if key not in {"EventId", "EventTimestamp"}})[:300]


def log_problems(
    expected: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]], bindings: Bindings
) -> list[str]:
    """Judge what was logged, in the order in which it was."""
    problems: list[str] = []
    for wanted in expected:
        unknown = sorted(set(wanted) - {"match", "count", "min_count", "after"})
        problems += [f"ExpectedLogs.{key}: not known to the validator" for key in unknown]
        found = [index for index, record in enumerate(records) if bindings.is_logged(wanted["match"], record)]
        if "count" in wanted and len(found) != wanted["count"]:
            problems.append(f"log {wanted['match']}: expected {wanted['count']} records, got {len(found)}")
        if len(found) < wanted.get("min_count", 0):
            problems.append(f"log {wanted['match']}: expected at least {wanted['min_count']}, got {len(found)}")
        for earlier in wanted.get("after", ()):
            first = next((index for index, record in enumerate(records) if bindings.is_logged(earlier, record)), None)
            if first is None or any(index <= first for index in found):
                problems.append(f"log {wanted['match']}: expected after {earlier}")
    if problems:
        problems += ["logged was:", *(f"  {record}" for record in records)]
    return problems
