"""Serializers for classes of your own, guided by their annotations.

Writing goes by what a value is: dataclasses, attrs classes, pydantic models, enums, sets and plain objects become plain
data (dicts, lists, their values), everything else is left to the default codec, which knows dates, decimals and so on.
Reading goes by annotations, since plain data does not say what it was. Objects are put together from their fields
without running `__init__` or `__post_init__`, so that they come back as they were; pydantic models are validated, which
is the only way in that pydantic supports.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import json
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

from durable_execution_sdk._model.checks import refusal
from durable_execution_sdk._model.errors import SerDesError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.serdes import SerDes, SerDesContext
from durable_execution_sdk._serdes.text import EXTENDED_TYPES_SERDES

T = TypeVar("T")

# Types that the default codec writes and reads by itself.
_NATIVE = (str, int, float, bool, bytes, bytearray, memoryview, datetime.date, type(None))
# And `Decimal`, `UUID` and `BatchResult`: by module, for importing the first two costs more than most handlers need.
_NATIVE_MODULES = {"decimal", "_pydecimal", "uuid", "durable_execution_sdk.concurrency.models"}


class Mismatch(Exception):
    """Recorded data does not fit an annotation; the message says where."""


# --- writing ----------------------------------------------------------------------------------------------------------


def to_plain(value: Any) -> Any:
    """Plain data for a value; what needs no change is returned as it is."""
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, _NATIVE):
        return value
    if isinstance(value, dict):
        return {to_plain(key): to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_plain(inner) for inner in value]
    if isinstance(value, tuple):
        return tuple(to_plain(inner) for inner in value)
    if isinstance(value, set | frozenset):
        return _in_order([to_plain(inner) for inner in value])
    if _is_pydantic(type(value)):
        return json.loads(value.model_dump_json(by_alias=True, round_trip=True))
    names = _field_names(type(value))
    if names is not None:
        return {name: to_plain(getattr(value, name)) for name in names if hasattr(value, name)}
    if any(base.__module__ in _NATIVE_MODULES for base in type(value).__mro__):
        return value
    if hasattr(value, "__dict__") or _slots(type(value)):
        return {name: to_plain(inner) for name, inner in _attributes(value).items()}
    return value  # the codec says what is wrong with it


def _in_order(items: list[Any]) -> list[Any]:
    """A set's elements in an order that does not change from one process to the next, where they have one."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=repr)


def _attributes(value: Any) -> dict[str, Any]:
    attributes = dict(getattr(value, "__dict__", {}))
    for name in _slots(type(value)):
        if hasattr(value, name):
            attributes.setdefault(name, getattr(value, name))
    return attributes


def _slots(cls: type) -> list[str]:
    names: list[str] = []
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in {"__dict__", "__weakref__"}]


def _field_names(cls: type) -> list[str] | None:
    """Fields of a dataclass or attrs class; None for any other."""
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    attributes = getattr(cls, "__attrs_attrs__", None)
    return None if attributes is None else [attribute.name for attribute in attributes]


def _is_pydantic(cls: object) -> bool:
    """Whether a class is a pydantic model, without importing pydantic: if nobody has, nothing is one."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)


# --- reading ----------------------------------------------------------------------------------------------------------


def from_plain(annotation: Any, data: Any, where: str) -> Any:
    """The value of that annotation which plain data stands for.

    Args:
        annotation: A class, or anything that `typing` builds from classes.
        data: Plain data, as the default codec gives it back.
        where: What is being read, for errors.

    Raises:
        Mismatch: The data does not fit.
    """
    if annotation is Any or annotation is object or isinstance(annotation, TypeVar):
        return data
    if annotation is None or annotation is type(None):
        return _expect(data is None, data, "None", where)
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return from_plain(arguments[0], data, where)
    if origin in {typing.Union, types.UnionType}:
        return _from_union(arguments, data, where)
    if origin is typing.Literal:
        return _expect(data in arguments, data, f"one of {arguments}", where)
    if isinstance(annotation, typing.NewType):
        return from_plain(annotation.__supertype__, data, where)
    cls = origin or annotation
    if not isinstance(cls, type):
        return data
    if _is_container(cls):
        return _from_container(cls, arguments, data, where)
    return _from_class(cls, arguments, data, where)


def _expect(fits: bool, data: Any, what: str, where: str) -> Any:
    if not fits:
        raise Mismatch(f"{where}: expected {what}, recorded is {type(data).__name__}")
    return data


def _from_union(members: Iterable[Any], data: Any, where: str) -> Any:
    """The first member that fits, a class with exactly the recorded fields before all others."""
    complaints = []
    for exact in (True, False):
        for member in members:
            if exact and not _has_exactly_the_fields(member, data):
                continue
            try:
                return from_plain(member, data, where)
            except Mismatch as mismatch:
                complaints.append(str(mismatch))
    raise Mismatch(f"{where}: no member of the union fits ({'; '.join(dict.fromkeys(complaints))})")


def _has_exactly_the_fields(member: Any, data: Any) -> bool:
    cls = typing.get_origin(member) or member
    names = _field_names(cls) if isinstance(cls, type) else None
    return names is not None and isinstance(data, dict) and set(names) == set(data)


_ABSTRACT: Mapping[Any, type] = {
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
}


def _is_container(cls: type) -> bool:
    return cls in _ABSTRACT or (cls.__module__ == "builtins" and cls in {list, tuple, set, frozenset, dict})


def _from_container(cls: type, arguments: tuple[Any, ...], data: Any, where: str) -> Any:
    concrete: Any = _ABSTRACT.get(cls, cls)
    if concrete is dict:
        _expect(isinstance(data, dict), data, "a mapping", where)
        of_key, of_value = arguments or (Any, Any)
        return {
            _key(of_key, key, where): from_plain(of_value, inner, f"{where}[{key!r}]") for key, inner in data.items()
        }
    if cls in _ABSTRACT and isinstance(data, tuple):
        concrete = tuple
    _expect(isinstance(data, list | tuple), data, f"the elements of a {concrete.__name__}", where)
    if cls is tuple and arguments and arguments[-1] is not Ellipsis:
        _expect(len(data) == len(arguments), data, f"{len(arguments)} elements", where)
        return tuple(
            from_plain(annotation, inner, f"{where}[{position}]")
            for position, (annotation, inner) in enumerate(zip(arguments, data, strict=True))
        )
    of_item = arguments[0] if arguments else Any
    return concrete(from_plain(of_item, inner, f"{where}[{position}]") for position, inner in enumerate(data))


def _key(annotation: Any, key: str, where: str) -> Any:
    """A dict key, which JSON made text."""
    if annotation in {int, float}:
        return annotation(key)
    if annotation is bool:
        return key == "true"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        for member in annotation:
            if str(member.value) == key:
                return member
    return from_plain(annotation, key, where)


def _from_class(cls: Any, arguments: tuple[Any, ...], data: Any, where: str) -> Any:
    if typing.is_typeddict(cls):
        _expect(isinstance(data, dict), data, f"the fields of {cls.__name__}", where)
        hints = _hints(cls, where)
        return {name: from_plain(hints.get(name, Any), inner, f"{where}.{name}") for name, inner in data.items()}
    if issubclass(cls, Enum):
        for member in cls:
            if to_plain(member) == data:
                return member
        raise Mismatch(f"{where}: {data!r} is no value of {cls.__name__}")
    if cls is float and isinstance(data, int):
        return float(data)
    if isinstance(data, cls):
        return data
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _from_namedtuple(cls, data, where)
    if cls.__module__ == "builtins" or issubclass(cls, _NATIVE):
        # A value of a subclass, such as an int of a NewType-like class, is recorded as its base type.
        base = next((native for native in _NATIVE if issubclass(cls, native) and isinstance(data, native)), None)
        if base is not None and cls.__module__ != "builtins":
            return cls(data)
        raise Mismatch(f"{where}: expected {cls.__name__}, recorded is {type(data).__name__}")
    _expect(isinstance(data, dict), data, f"the fields of {cls.__name__}", where)
    if _is_pydantic(cls):
        return _validated(cls, arguments, data, where)
    return _put_together(cls, arguments, data, where)


def _from_namedtuple(cls: Any, data: Any, where: str) -> Any:
    _expect(isinstance(data, list | tuple) and len(data) == len(cls._fields), data, cls.__name__, where)
    hints = _hints(cls, where)
    fields = zip(cls._fields, data, strict=True)
    return cls(*(from_plain(hints.get(name, Any), inner, f"{where}.{name}") for name, inner in fields))


def _validated(cls: Any, arguments: tuple[Any, ...], data: dict[str, Any], where: str) -> Any:
    model = cls[arguments] if arguments else cls
    try:
        return model.model_validate_json(json.dumps(data))
    except ValueError as error:  # pydantic's ValidationError is one
        raise Mismatch(f"{where}: {error}") from error


def _put_together(cls: type, arguments: tuple[Any, ...], data: dict[str, Any], where: str) -> Any:
    hints = _hints(cls, where)
    parameters = getattr(cls, "__parameters__", ())
    bound = dict(zip(parameters, arguments, strict=False))
    names = _field_names(cls)
    new: Any = cls.__new__
    value = new(cls)
    for name, inner in data.items():
        if names is not None and name not in names:
            continue  # a field that the class no longer has
        annotation = hints.get(name, Any)
        annotation = bound.get(annotation, annotation) if isinstance(annotation, TypeVar) else annotation
        # Not setattr(): frozen classes refuse it.
        object.__setattr__(value, name, from_plain(annotation, inner, f"{where}.{name}"))
    _fill_in(value, cls, names or (), where)
    return value


def _fill_in(value: Any, cls: type, names: Iterable[str], where: str) -> None:
    """Defaults of fields that the class got after the data was recorded."""
    for name in names:
        if hasattr(value, name):
            continue
        default = _default(cls, name)
        if default is None:
            raise Mismatch(f"{where}: {name} is missing, and {cls.__name__} has no default for it")
        object.__setattr__(value, name, default())


def _default(cls: type, name: str) -> Callable[[], Any] | None:
    if dataclasses.is_dataclass(cls):
        field = next(field for field in dataclasses.fields(cls) if field.name == name)
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory
        return None if field.default is dataclasses.MISSING else lambda: field.default
    import attrs  # a class with attrs fields came from there

    attribute = getattr(attrs.fields(cls), name)
    if attribute.default is attrs.NOTHING:
        return None
    if isinstance(attribute.default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time, a function to typing
        return None if attribute.default.takes_self else attribute.default.factory
    return lambda: attribute.default


def _hints(cls: type, where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, localns={cls.__name__: cls})
    except NameError as error:
        raise Mismatch(
            f"{where}: an annotation of {cls.__name__} cannot be resolved ({error}); define the class it names at "
            "module level, outside `if TYPE_CHECKING`"
        ) from error


# --- the serializers --------------------------------------------------------------------------------------------------


class TypeSerDes(SerDes[T], Generic[T]):
    """Writes and reads values of one annotation."""

    def __init__(self, annotation: Any, dates: Iterable[str] = ()) -> None:
        self._annotation = annotation
        self._dates = tuple(path.split(".") for path in dates)

    def serialize(self, value: T, serdes_context: SerDesContext | None = None) -> str:
        """Text for a value."""
        return EXTENDED_TYPES_SERDES.serialize(to_plain(value))

    def deserialize(self, data: str, serdes_context: SerDesContext | None = None) -> T:
        """The value of a text.

        Raises:
            SerDesError: What is recorded does not fit the annotation.
        """
        plain = EXTENDED_TYPES_SERDES.deserialize(data)
        for path in self._dates:
            _revive_dates(plain, path)
        try:
            value: T = from_plain(self._annotation, plain, getattr(self._annotation, "__name__", "the value"))
        except Mismatch as mismatch:
            raise SerDesError(f"the recorded value does not fit {self._annotation!r}: {mismatch}") from mismatch
        return value


def _revive_dates(plain: Any, path: list[str]) -> None:
    """Turn the texts at a path, through lists as well, into datetimes."""
    if isinstance(plain, list | tuple):
        for element in plain:
            _revive_dates(element, path)
        return
    if not isinstance(plain, dict) or path[0] not in plain:
        return
    name, *rest = path
    if rest:
        _revive_dates(plain[name], rest)
    elif isinstance(plain[name], list):
        plain[name] = [_date(element) for element in plain[name]]
    else:
        plain[name] = _date(plain[name])


def _date(value: Any) -> Any:
    return datetime.datetime.fromisoformat(value) if isinstance(value, str) else value


class ClassSerDes(TypeSerDes[T]):
    """Writes and reads instances of one class, and None."""

    def __init__(self, cls: type[T], dates: Iterable[str] = ()) -> None:
        if not isinstance(typing.get_origin(cls) or cls, type):
            raise refusal("cls", cls, "a class")
        super().__init__(cls | None, dates)
        self._cls: type = typing.get_origin(cls) or cls

    def serialize(self, value: T, serdes_context: SerDesContext | None = None) -> str:
        """Text for an instance.

        Raises:
            SerDesError: It is an instance of something else.
        """
        if value is not None and not isinstance(value, self._cls):
            raise SerDesError(f"expected an instance of {self._cls.__name__}, got {type(value).__name__}")
        return super().serialize(value)


@public("serdes")
def create_class_serdes(cls: type[T]) -> SerDes[T]:
    """A serializer for instances of a class (and None), whose fields may hold further such instances.

    Takes dataclasses, attrs classes, pydantic models, enums, named tuples, typed dicts and plain classes; fields may be
    anything that the default serializer writes, sets, and containers and unions of all these, as annotated. Objects
    come back without `__init__` having run; a pydantic model is validated, by alias.

    Raises:
        ValidationError: The argument is no class.

    Example:
        >>> from dataclasses import dataclass
        >>> from durable_execution_sdk.serdes import SerDesContext, create_class_serdes
        >>> @dataclass(frozen=True)
        ... class Order:
        ...     id: int
        ...     tags: set[str]
        >>> serdes = create_class_serdes(Order)
        >>> serdes.deserialize(serdes.serialize(Order(7, {"new"}), SerDesContext()), SerDesContext())
        Order(id=7, tags={'new'})
    """
    return ClassSerDes(cls)


@public("serdes")
def create_class_serdes_with_dates(cls: type[T], date_props: Iterable[str]) -> SerDes[T]:
    """As `create_class_serdes`, for classes that keep dates as ISO-8601 text and want them back as `datetime`.

    Args:
        cls: The class.
        date_props: Dotted paths of such fields (`"customer.since"`); lists on the way are gone through.

    Raises:
        ValidationError: The first argument is no class.
    """
    if isinstance(date_props, str):
        raise refusal("date_props", date_props, "a list of dotted paths")
    return ClassSerDes(cls, date_props)


@public("serdes")
def create_type_serdes(annotation: type[T] | Any) -> SerDes[T]:
    """As `create_class_serdes`, for any annotation: `list[Order]`, `dict[str, Order] | None`, `tuple[Order, int]`."""
    return TypeSerDes(annotation)


@public("serdes")
def create_return_serdes(func: Callable[..., T]) -> SerDes[T]:
    """A serializer for what a function says it returns.

    Raises:
        ValidationError: It says nothing, or something that cannot be resolved.

    Example:
        >>> from durable_execution_sdk.config import StepConfig
        >>> from durable_execution_sdk.serdes import create_return_serdes
        >>> def load(step_context) -> set[int]: ...
        >>> config = StepConfig(serdes=create_return_serdes(load))
    """
    # A bound or decorated function leads back to the one that was written.
    written = getattr(func, "__wrapped__", func)
    try:
        hints = typing.get_type_hints(written)
    except NameError as error:
        raise refusal("func", func, f"annotated with names that can be resolved ({error})") from error
    if "return" not in hints:
        raise refusal("func", func, "annotated with what it returns")
    return TypeSerDes(hints["return"])
