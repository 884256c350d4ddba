"""What an operation can decide: small frozen values that the drivers turn into effects.

Three shapes of operation share them, and each shape has one union:

- backend-only (wait, invoke, callback): `Found | Announce` on the way in, `Found` once the START is acknowledged;
- attempt with user code (step, condition): `Found | Attempt | Interrupted` on the way in, `Settled` after the body;
- scope (child contexts and everything built on them): `Found | Enter` on the way in, `Settled` after the body.

A verdict never holds user code, and deciding never calls any: bodies, serdes and strategies are run by the driver,
which passes their outcome in.
"""

from __future__ import annotations

from typing import TypeAlias

from durable_execution_sdk._model.updates import OperationUpdate
from durable_execution_sdk._model.values import Value, value


@value
class Deliver(Value):
    """The operation has its result: decode `payload` and hand it over; None is the value None."""

    payload: str | None


@value
class Throw(Value):
    """The operation has failed: raise `error`, which is built from the record alone."""

    error: Exception


@value
class Park(Value):
    """Nothing to do until `due_ms` (epoch milliseconds), or until the service has news if that is None."""

    due_ms: int | None


Found: TypeAlias = Deliver | Throw | Park
"""What a record says by itself."""


@value
class Announce(Value):
    """Not recorded yet: the START must be acknowledged, then the record is looked at again."""


@value
class Attempt(Value):
    """Run the body once.

    `announce` is the START to queue first (None: it is recorded already), `confirm` whether the body must wait until
    that is acknowledged. `state` is the state that an earlier condition check recorded.
    """

    number: int
    announce: OperationUpdate | None
    confirm: bool = False
    state: str | None = None


@value
class Interrupted(Value):
    """An at-most-once attempt was started and nobody knows its end: the retry strategy hears of `error`."""

    number: int
    error: Exception


@value
class Enter(Value):
    """Run the body of a scope; `reconstruct` if it is recorded as finished and only its children are."""

    announce: OperationUpdate | None
    reconstruct: bool = False


@value
class Settled(Value):
    """The body has ended: have `update` acknowledged (None: nothing is recorded), then act on `then`."""

    update: OperationUpdate | None
    then: Found


@value
class Escape(Value):
    """The error is not the operation's: nothing is recorded and it passes on as it is."""


@value
class Condemn(Value):
    """The error is final: the operation fails with it, no strategy is asked."""


@value
class Consult(Value):
    """The retry strategy decides."""


Judgement: TypeAlias = Escape | Condemn | Consult
"""What becomes of an exception that a body, a serdes or a strategy raised."""
