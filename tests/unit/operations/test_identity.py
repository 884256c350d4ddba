from __future__ import annotations

import pytest

from durable_execution_sdk._model.errors import NonDeterministicExecutionError
from durable_execution_sdk._operations.identity import require_same
from tests.unit.operations.rows import KEY, identity, record


def test_the_same_passes_and_empty_is_none():
    require_same(identity(), record("STARTED"))
    require_same(identity(name=""), record("STARTED", name=None))
    require_same(identity(name=None), record("STARTED", name="", parent_id=""))


@pytest.mark.parametrize(
    ("attempted", "label", "before", "now"),
    [
        (identity("WAIT"), "type", "'STEP'", "'WAIT'"),
        (identity("WAIT"), "subtype", "'Step'", "'Wait'"),
        (identity(name="refund"), "name", "'pay'", "'refund'"),
        (identity(name=None), "name", "'pay'", "none"),
        (identity(parent_id="ab"), "parent", "none", "'ab'"),
    ],
)
def test_each_difference_is_shown_on_both_sides(attempted, label, before, now):
    with pytest.raises(NonDeterministicExecutionError) as caught:
        require_same(attempted, record("SUCCEEDED"), 3)
    text = str(caught.value)
    assert f"- {label}: {before} (recorded)" in text
    assert f"+ {label}: {now} (attempted)" in text
    assert "operation 3" in text
    assert caught.value.step_id == KEY
