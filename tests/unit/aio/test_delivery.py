from durable_execution_sdk._drivers.aio.delivery import CREATED, FINISHED, DeliveryOrder, Event


def finished(ms: int, operation_id: str) -> Event:
    return Event(ms, operation_id, FINISHED)


def test_smallest_started_event_first() -> None:
    order = DeliveryOrder([finished(5, "b"), finished(3, "c"), finished(5, "a")])
    for operation_id in "abc":
        order.listen(operation_id)
    taken = [order.next(outside_work=lambda: True) for _ in range(4)]
    assert taken == [finished(3, "c"), finished(5, "a"), finished(5, "b"), None]


def test_waits_for_an_operation_that_outside_work_may_still_start() -> None:
    order = DeliveryOrder([finished(1, "early"), finished(2, "late")])
    order.listen("late")
    assert order.next(outside_work=lambda: True) is None
    assert order.set_aside == []
    order.listen("early")
    assert order.next(outside_work=lambda: True) == finished(1, "early")
    assert order.next(outside_work=lambda: True) == finished(2, "late")


def test_sets_aside_what_nothing_can_start_and_delivers_it_once_started() -> None:
    order = DeliveryOrder([finished(1, "early"), finished(2, "late"), finished(3, "last")])
    order.listen("late")
    assert order.next(outside_work=lambda: False) == finished(2, "late")
    assert order.set_aside == [finished(1, "early")]
    order.listen("last")
    order.listen("early")
    assert order.set_aside == []
    assert order.next(outside_work=lambda: True) == finished(1, "early")
    assert order.next(outside_work=lambda: True) == finished(3, "last")


def test_nothing_is_set_aside_for_nobody() -> None:
    order = DeliveryOrder([finished(1, "early")])
    assert order.next(outside_work=lambda: False) is None
    assert order.set_aside == []
    assert not order.deliverable


def test_late_arrival_names_the_delivery_it_should_have_preceded() -> None:
    order = DeliveryOrder([finished(5, "a")])
    order.listen("a")
    order.next(outside_work=lambda: False)
    assert order.record(finished(6, "b")) is None
    assert order.record(finished(4, "c")) == finished(5, "a")
    assert order.record(finished(4, "c")) is None


def test_creation_and_completion_of_one_callback_are_two_events() -> None:
    order = DeliveryOrder([Event(1, "cb", CREATED), finished(9, "cb")])
    order.listen("cb", CREATED)
    assert order.next(outside_work=lambda: False) == Event(1, "cb", CREATED)
    assert order.next(outside_work=lambda: False) is None
    order.listen("cb")
    assert order.next(outside_work=lambda: False) == finished(9, "cb")


def test_inline_lane_takes_only_what_would_come_next() -> None:
    order = DeliveryOrder([finished(1, "a"), finished(2, "b"), finished(3, "c")])
    order.listen("b")
    order.listen("c")
    assert not order.take_if_next("c", outside_work=False)
    assert not order.take_if_next("b", outside_work=True)
    assert order.take_if_next("b", outside_work=False)
    assert order.set_aside == [finished(1, "a")]
    order.listen("a")
    assert not order.take_if_next("c", outside_work=False)
    assert order.take_if_next("a", outside_work=True)
    assert order.take_if_next("c", outside_work=True)
    assert not order.take_if_next("c", outside_work=True)


def test_a_created_callback_whose_result_is_not_asked_for_is_passed() -> None:
    order = DeliveryOrder([Event(1, "cb", CREATED), finished(2, "cb"), finished(3, "step")])
    order.listen("cb", CREATED)
    order.listen("step")
    assert order.next(outside_work=lambda: False) == Event(1, "cb", CREATED)
    assert order.next(bodies=True, outside_work=lambda: True) is None
    assert order.next(bodies=True, outside_work=lambda: False) == finished(3, "step")
    assert order.set_aside == []
    order.listen("cb")
    assert order.next(bodies=True, outside_work=lambda: True) == finished(2, "cb")


def test_others_wait_for_the_body_that_may_start_them() -> None:
    order = DeliveryOrder([finished(2, "other"), finished(3, "step")])
    order.listen("step")
    assert order.next(bodies=True, outside_work=lambda: False) is None


def test_a_completion_is_known_from_its_record_to_its_delivery() -> None:
    order = DeliveryOrder([Event(1, "a", FINISHED), Event(2, "b", FINISHED)])
    assert order.knows("a")
    assert not order.knows("c")
    order.listen("b")
    assert order.next(outside_work=lambda: False) == Event(2, "b", FINISHED)
    assert not order.knows("b")
    assert order.knows("a"), "set aside is not delivered"
