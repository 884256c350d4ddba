import asyncio
import itertools

import pytest

from durable_execution_sdk._core import Deliveries, Journal, operation_id
from durable_execution_sdk._drivers.aio.delivery import CREATED, FINISHED, order_of
from durable_execution_sdk._drivers.aio.promise import DurablePromise

# Letters follow each other as their ids do.
RANKED = dict(zip("abcdefg", sorted(operation_id(None, position) for position in range(1, 8)), strict=True))


def step(letter: str, ms: int) -> dict[str, object]:
    return {
        "Id": RANKED[letter],
        "Type": "STEP",
        "SubType": "Step",
        "Status": "SUCCEEDED",
        "StartTimestamp": 0,
        "EndTimestamp": ms,
        "StepDetails": {"Result": "1"},
    }


class Order:
    """The order of deliveries, with letters for operations."""

    def __init__(self, **finished: int) -> None:
        journal = Journal("token")
        journal.load_operations([step(letter, ms) for letter, ms in finished.items()])
        self.loop = asyncio.new_event_loop()
        self.inner: Deliveries = order_of(journal, object(), self.loop, set(), set(), [])
        self.loop.close()

    def listen(self, letter: str, kind: int = FINISHED) -> None:
        self.inner.listen(RANKED[letter], kind)

    def record(self, letter: str, ms: int, kind: int = FINISHED) -> str | None:
        last = self.inner.record(RANKED[letter], kind, ms)
        return None if last is None else self.letter(last)

    def knows(self, letter: str) -> bool:
        return self.inner.knows(RANKED[letter], FINISHED)

    def next(self, *, bodies: bool = False, outside_work: bool) -> tuple[str, int] | bool:
        found = self.inner.next(bodies=bodies, outside_work=lambda: outside_work)
        return found if isinstance(found, bool) else (self.letter(found[0]), found[1])

    def take_if_next(self, letter: str, *, outside_work: bool) -> bool:
        return self.inner.take_if_next(RANKED[letter], FINISHED, outside_work=outside_work)

    @property
    def set_aside(self) -> list[str]:
        return [self.letter(operation) for operation in self.inner.set_aside()]

    @staticmethod
    def letter(operation: str) -> str:
        return next(letter for letter, ranked in RANKED.items() if ranked == operation)


def finished(letter: str) -> tuple[str, int]:
    return (letter, FINISHED)


def test_smallest_started_event_first() -> None:
    order = Order(b=5, c=3, a=5)
    for letter in "abc":
        order.listen(letter)
    taken = [order.next(outside_work=True) for _ in range(4)]
    assert taken == [finished("c"), finished("a"), finished("b"), False]


def test_waits_for_an_operation_that_outside_work_may_still_start() -> None:
    order = Order(a=1, b=2)
    order.listen("b")
    assert order.next(outside_work=True) is False
    assert order.set_aside == []
    order.listen("a")
    assert order.next(outside_work=True) == finished("a")
    assert order.next(outside_work=True) == finished("b")


def test_sets_aside_what_nothing_can_start_and_delivers_it_once_started() -> None:
    order = Order(a=1, b=2, c=3)
    order.listen("b")
    assert order.next(outside_work=False) == finished("b")
    assert order.set_aside == ["a"]
    order.listen("c")
    order.listen("a")
    assert order.set_aside == []
    assert order.next(outside_work=True) == finished("a")
    assert order.next(outside_work=True) == finished("c")


def test_the_outside_is_looked_at_once_for_all_that_is_set_aside() -> None:
    order = Order(a=1, b=2, c=3)
    order.listen("c")
    looks: list[bool] = []

    def outside_work() -> bool:
        looks.append(True)
        return False

    assert order.inner.next(bodies=False, outside_work=outside_work) == (RANKED["c"], FINISHED)
    assert looks == [True]
    assert order.set_aside == ["a", "b"]


def test_nothing_is_set_aside_for_nobody() -> None:
    order = Order(a=1)
    assert order.next(outside_work=False) is False
    assert order.set_aside == []


def test_late_arrival_names_the_delivery_it_should_have_preceded() -> None:
    order = Order(a=5)
    order.listen("a")
    order.next(outside_work=False)
    assert order.record("b", 6) is None
    assert order.record("c", 4) == "a"
    assert order.record("c", 4) is None


def test_creation_and_completion_of_one_callback_are_two_events() -> None:
    order = Order()
    order.record("a", 1, CREATED)
    order.record("a", 9)
    order.listen("a", CREATED)
    assert order.next(outside_work=False) == ("a", CREATED)
    assert order.next(outside_work=False) is False
    order.listen("a")
    assert order.next(outside_work=False) == finished("a")


def test_inline_lane_takes_only_what_would_come_next() -> None:
    order = Order(a=1, b=2, c=3)
    order.listen("b")
    order.listen("c")
    assert not order.take_if_next("c", outside_work=False)
    assert not order.take_if_next("b", outside_work=True)
    assert order.take_if_next("b", outside_work=False)
    assert order.set_aside == ["a"]
    order.listen("a")
    assert not order.take_if_next("c", outside_work=False)
    assert order.take_if_next("a", outside_work=True)
    assert order.take_if_next("c", outside_work=True)
    assert not order.take_if_next("c", outside_work=True)


def test_what_the_lane_passed_in_vain_keeps_its_place() -> None:
    order = Order(a=1, b=2, c=3)
    order.listen("b")
    order.listen("c")
    assert not order.take_if_next("c", outside_work=False), "b has a listener"
    order.listen("a")
    assert [order.next(outside_work=True) for _ in range(3)] == [finished(letter) for letter in "abc"]


def test_a_created_callback_whose_result_is_not_asked_for_is_passed() -> None:
    order = Order(b=3)
    order.record("a", 1, CREATED)
    order.record("a", 2)
    order.listen("a", CREATED)
    order.listen("b")
    assert order.next(outside_work=False) == ("a", CREATED)
    assert order.next(bodies=True, outside_work=True) is False
    assert order.next(bodies=True, outside_work=False) == finished("b")
    assert order.set_aside == []
    order.listen("a")
    assert order.next(bodies=True, outside_work=True) == finished("a")


def test_others_wait_for_the_body_that_may_start_them() -> None:
    order = Order(a=2, b=3)
    order.listen("b")
    assert order.next(bodies=True, outside_work=False) is False


def test_a_completion_is_known_from_its_record_to_its_delivery() -> None:
    order = Order(a=1, b=2)
    assert order.knows("a")
    assert not order.knows("c")
    order.listen("b")
    assert order.next(outside_work=False) == finished("b")
    assert not order.knows("b")
    assert order.knows("a"), "set aside is not delivered"


def test_whoever_listens_is_told_in_turn() -> None:
    order = Order(a=3, b=1, c=2)
    told: list[str] = []
    assert order.inner.tell(RANKED["a"], told.append, "a")
    assert order.inner.tell(RANKED["b"], told.append, "b")
    assert told == []
    assert order.next(outside_work=False) is True
    assert told == ["b"]
    assert not order.take_if_next("a", outside_work=True), "c comes before it"
    order.listen("c")
    assert [order.next(outside_work=False) for _ in range(3)] == [finished("c"), True, False]
    assert told == ["b", "a"]
    assert order.inner.promises() == []


def test_nobody_is_told_of_what_is_not_recorded_or_was_delivered() -> None:
    order = Order(a=1)
    order.listen("a")
    assert order.next(outside_work=False) == finished("a")
    assert not order.inner.tell(RANKED["a"], pytest.fail, "delivered")
    assert not order.inner.tell(RANKED["b"], pytest.fail, "not recorded")
    order.record("b", 2)
    assert order.next(outside_work=False) is False, "the refusal has left no listener behind"


def test_what_a_listener_raises_reaches_whoever_asked() -> None:
    order = Order(a=1)
    order.inner.tell(RANKED["a"], int, "no number")
    with pytest.raises(ValueError, match="no number"):
        order.next(outside_work=False)


def test_events_of_contexts_that_were_left_are_dropped() -> None:
    journal = Journal("token")
    inside = step("b", 1) | {"ParentId": RANKED["a"]}
    context = step("a", 3) | {"Type": "CONTEXT", "SubType": "RunInChildContext", "Status": "STARTED"}
    journal.load_operations([context, inside, step("c", 2)])
    order = Order()
    order.inner = order_of(journal, object(), order.loop, set(), set(), [])
    order.listen("c")
    assert order.next(outside_work=True) is False, "b may still be started"
    order.inner.leave(RANKED["a"])
    assert order.next(outside_work=True) == finished("c")
    assert order.set_aside == []


@pytest.mark.parametrize("kind", [2, 255])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(ValueError, match=f"{kind} is no kind of event: 0 or 1"):
        Order().listen("a", kind)


def test_promises_are_known_by_their_operation() -> None:
    loop = asyncio.new_event_loop()
    try:
        promises = [DurablePromise[int](operation_id=RANKED[letter], loop=loop) for letter in "ab"]
        assert [promise.operation_id for promise in promises] == [RANKED["a"], RANKED["b"]]
        assert [hash(promise) for promise in promises] == [int(RANKED[letter][:15], 16) for letter in "ab"]
        assert promises[0] != promises[1]
        assert hash(DurablePromise[int](loop=loop)) == 0
        assert DurablePromise[int](loop=loop).operation_id == ""
        with pytest.raises(RuntimeError, match='"step 1" is not the id of an operation'):
            DurablePromise[int](operation_id="step 1", loop=loop)
    finally:
        loop.close()


def test_the_order_is_that_of_time_then_id() -> None:
    for times in itertools.product((1, 2), repeat=3):
        order = Order(**dict(zip("abc", times, strict=True)))
        for letter in "cab":
            order.listen(letter)
        expected = sorted(zip(times, "abc", strict=True))
        assert [order.next(outside_work=True) for _ in expected] == [finished(letter) for _, letter in expected]
