from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, replace
from unittest.mock import ANY

import pytest

from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.verdicts import Deliver, Park


@dataclass(frozen=True)
class Generated:
    x: int
    y: str = field(default="y", kw_only=True)


@dataclass(frozen=True, eq=False, repr=False)
class Inherited(Value):
    x: int
    y: str = field(default="y", kw_only=True)


@value
class Short(Value):
    x: int
    y: str = field(default="y", kw_only=True)


def test_the_short_form_differs_in_what_happens_at_an_assignment_alone():
    one = Short(1)
    assert one == Short(1, y="y") != Short(2)
    assert one != Inherited(1)
    assert hash(one) == hash(Short(1))
    assert repr(one) == "Short(x=1, y='y')"
    assert replace(one, x=2) == Short(2)
    assert not hasattr(one, "__dict__")


def test_a_value_is_what_a_dataclass_would_be():
    one = Inherited(1)
    assert one == Inherited(1, y="y")
    assert one != Inherited(2)
    assert hash(one) == hash(Inherited(1))
    assert repr(one) == repr(Generated(1)).replace("Generated", "Inherited")
    assert replace(one, x=2) == Inherited(2)
    with pytest.raises(FrozenInstanceError):
        one.x = 2


def test_what_is_equal_to_anything_is_equal_to_a_value_on_either_side():
    assert Inherited(1) == ANY
    assert Inherited(1) == ANY
    assert Inherited(1) != object()


def test_equal_fields_do_not_make_values_of_different_classes_equal():
    assert Inherited(1) != Generated(1)
    assert Deliver(None) != Park(None)
    assert Deliver(None) == Deliver(None)


def test_a_value_with_a_field_that_has_no_hash_has_none():
    with pytest.raises(TypeError, match="unhashable"):
        hash(Inherited([]))
