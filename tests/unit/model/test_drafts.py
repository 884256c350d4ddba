"""Values that are made often are filled as drafts; nobody can tell them from those that the constructor makes."""

import copy
import dataclasses
import pickle

import pytest

from durable_execution_sdk._model.enums import OperationAction, OperationType
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate, WaitOptions, identify

IDENTIFIER = OperationIdentifier("id", "Wait", "parent", "pause", operation_type=OperationType.WAIT)


def test_identifiers_are_those_of_the_constructor() -> None:
    made = identify("id", OperationType.WAIT, "Wait", "parent", "pause")
    assert type(made) is OperationIdentifier
    assert made == IDENTIFIER
    assert hash(made) == hash(IDENTIFIER)
    assert repr(made) == repr(IDENTIFIER)


def test_updates_are_those_of_the_constructor() -> None:
    options = WaitOptions(7)
    made = OperationUpdate.about(IDENTIFIER, OperationType.WAIT, OperationAction.START, wait_options=options)
    built = OperationUpdate(
        "id", OperationType.WAIT, OperationAction.START, "parent", "pause", "Wait", wait_options=options
    )
    assert type(made) is OperationUpdate
    assert made == built
    assert made.to_dict() == built.to_dict()
    assert OperationUpdate.from_dict(made.to_dict()) == built


@pytest.mark.parametrize(
    "value",
    [
        identify("id", OperationType.WAIT, "Wait", None, None),
        OperationUpdate.about(IDENTIFIER, OperationType.WAIT, OperationAction.START, payload="1"),
    ],
)
def test_they_are_values_like_any(value: OperationIdentifier | OperationUpdate) -> None:
    assert copy.copy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value
    assert dataclasses.replace(value, name="other") != value
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = "other"  # type: ignore[misc] # that is what is tried
