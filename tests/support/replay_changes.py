"""Changes of handlers on purpose, with what a check must say of each.

What is expected comes from the plans alone: the cause from the kind of change, the line from the first operation in
which the two plans, laid out, differ.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support.replay_corpus import HANDLERS, LEAVES, Plan, Statement, Writer, leaf

AMBIGUOUS = "ambiguous"

_WIRE = {
    "step": ("STEP", "Step"),
    "condition": ("STEP", "WaitForCondition"),
    "wait": ("WAIT", "Wait"),
    "invoke": ("CHAINED_INVOKE", "ChainedInvoke"),
    "callback": ("CALLBACK", "Callback"),
    "waitcb": ("CONTEXT", "WaitForCallback"),
    "child": ("CONTEXT", "RunInChildContext"),
    "failed": ("CONTEXT", "RunInChildContext"),
    "failing": ("STEP", "Step"),
    "ask": ("CALLBACK", "Callback"),
    "retry": ("CONTEXT", "RunInChildContext"),
    "map": ("CONTEXT", "Map"),
    "parallel": ("CONTEXT", "Parallel"),
    "branch": ("CONTEXT", "Branch"),
}

# --- the plan laid out ------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Laid:
    """An operation as it comes to be: in its scope, in its order."""

    shape: tuple[str, str, str]
    statement: Statement
    inside: list[Laid] = field(default_factory=list)
    offset: int = 0
    comes_after_tasks: bool = False

    @property
    def is_branch(self) -> bool:
        """Whether it is a branch of a map or parallel."""
        return self.statement.kind == "branch" or (self.statement.kind == "map" and not self.shape[2])

    @property
    def line(self) -> int:
        """Where it is in the source."""
        return self.statement.line + self.offset


def laid_out(statements: Plan, number: int | None = None) -> list[Laid]:
    """The operations of a scope; tasks are scopes of their own and come last."""
    found: list[Laid] = []
    late: list[Laid] = []
    for s in statements:
        before = len(found)
        if s.kind == "loop":
            for turn in range(s.count):
                found += laid_out(s.body, turn if s.numbered else None)
        elif s.kind == "if":
            found += laid_out(s.body if s.holds else s.orelse, number)
        elif s.kind == "row":
            found += laid_out(s.body, number)
        elif s.kind in {"tasks", "group"}:
            late += [Laid(("task", "", t.name), t, laid_out(t.body)) for t in sorted(s.body, key=lambda t: t.name)]
        else:
            kind, sub_type = _WIRE[s.kind]
            name = s.name if number is None else f"{s.name}-{number}"
            one = Laid((kind, s.sub_type or sub_type, name), s)
            if s.kind == "map":
                one.inside = [Laid(("CONTEXT", "", ""), s, laid_out(s.body)) for _ in range(s.count)]
            elif s.kind == "retry":
                again = Laid(("WAIT", "Wait", f"{s.name}-backoff-1"), s)
                one.inside = [*laid_out(s.body), again, *laid_out(s.body)]
            elif s.kind == "waitcb":
                one.inside = [
                    Laid(("CALLBACK", "Callback", f"{s.name} create callback id"), s),
                    Laid(("STEP", "Step", f"{s.name} submitter"), s),
                ]
            else:
                one.inside = laid_out(s.body, number)
            found.append(one)
            if s.kind == "ask":
                found.append(Laid(("STEP", "Step", f"{name} sent"), s, offset=1))
        for one in found[before:]:
            one.comes_after_tasks = bool(late)
    return found + late


def departure(before: list[Laid], now: list[Laid]) -> tuple[Laid | None, Laid | None]:
    """The first place where something else is asked for; without that, the first where something is missing."""
    missing: Laid | None = None
    for pair in departures(before, now):
        if pair[1] is not None:
            return pair
        missing = missing or pair[0]
    return missing, None


def departures(
    before: list[Laid], now: list[Laid], *, may_go_on: bool = False
) -> Iterator[tuple[Laid | None, Laid | None]]:
    """The first of each scope."""
    tasks = {new.shape: new for new in now if new.shape[0] == "task"}
    for old in before:
        if old.shape in tasks:
            yield from departures(old.inside, tasks[old.shape].inside)
    before, now = ([one for one in side if one.shape[0] != "task"] for side in (before, now))
    for old, new in zip(before, now, strict=False):
        if old.shape != new.shape:
            yield old, new
            return
        yield from departures(old.inside, new.inside, may_go_on=old.statement.kind == "failed")
    if len(before) > len(now):
        yield before[len(now)], None
    elif len(now) > len(before) and not may_go_on:
        yield None, now[len(before)]


NO_OPERATIONS = {"loop", "if", "tasks", "group", "row"}

# --- changes ----------------------------------------------------------------------------------------------------------

KINDS = ("renamed", "inserted", "removed", "swapped", "retyped", "loop", "condition", "moved", "branches", "subtype")


@dataclass(frozen=True)
class Mutation:
    """A changed handler, and what a check must say of it."""

    handler: str
    kind: str
    what: str
    source: str
    cause: str
    line: int | None
    now: Plan


def blocks(statements: Plan) -> Iterator[Plan]:
    """Every list of statements but those of branches and tasks."""
    yield statements
    for s in statements:
        if s.kind in {"parallel", "tasks", "group"}:
            for inner in s.body:
                yield from blocks(inner.body)
        else:
            for block in (s.body, s.orelse):
                if block:
                    yield from blocks(block)


def everything(statements: Plan) -> list[tuple[Plan, int]]:
    """Every operation, as a place in its block."""
    return [
        (block, index) for block in blocks(statements) for index, s in enumerate(block) if s.kind not in NO_OPERATIONS
    ]


def mutate(statements: Plan, kind: str, chance: random.Random) -> tuple[str, str] | None:
    """Change a plan in place; what was done, and the cause; None if there was nothing to change."""
    places = everything(statements)
    if kind == "renamed":
        block, at = chance.choice(places)
        s = block[at]
        s.name += "_new"
        return f"{s.name}", "renamed"
    if kind == "inserted":
        block = chance.choice(list(blocks(statements)))
        at = chance.randrange(len(block) + 1)
        new = Statement(chance.choice(LEAVES[:4]), f"new{chance.randrange(99)}")
        block.insert(at, new)
        return f"{new.kind} {new.name} at {at}", "inserted"
    if kind == "removed":
        block, at = chance.choice([(b, i) for b, i in places if len(b) > 1])
        gone = block.pop(at)
        return gone.name, "removed"
    if kind == "swapped":
        pairs = [(b, i) for b, i in places if i + 1 < len(b) and b[i + 1].kind not in NO_OPERATIONS]
        block, at = chance.choice(pairs)
        block[at], block[at + 1] = block[at + 1], block[at]
        return f"{block[at + 1].name} and {block[at].name}", "reordered"
    if kind == "retyped":
        block, at = chance.choice([(b, i) for b, i in places if b[i].kind in {*LEAVES, "child", "map"}])
        s = block[at]
        others = [k for k in ("step", "wait", "invoke", "child") if _WIRE[k][0] != _WIRE[s.kind][0]]
        new = Statement(chance.choice(others), s.name)
        if new.kind == "child":
            new.body = leaf("within")
        block[at] = new
        return f"{s.kind} {s.name} to {new.kind}", "type changed"
    if kind == "loop":
        found = [s for b in blocks(statements) for s in b if s.kind in {"loop", "map"}]
        s = chance.choice(found)
        more = chance.random() < 0.5 or s.count == 1
        s.count += 1 if more else -1
        return f"{s.count} times {s.name or s.body[0].name}", "inserted" if more else "removed"
    if kind == "condition":
        found = [s for b in blocks(statements) for s in b if s.kind == "if"]
        s = chance.choice(found)
        s.holds = not s.holds
        if s.orelse:
            return f"else of {s.body[0].name}", "renamed"  # one step instead of one step: no history can tell
        return f"if of {s.body[0].name}", "inserted" if s.holds else "removed"
    if kind == "moved":
        return _move(statements, places, chance)
    if kind == "branches":
        found = [s for b in blocks(statements) for s in b if s.kind == "parallel"]
        s = chance.choice(found)
        before = list(s.body)
        how = chance.choice(("reordered", "removed", "inserted"))
        if how == "removed":
            s.body.pop(chance.randrange(len(s.body)))
        elif how == "inserted":
            name = chance.choice(("", "extra"))
            s.body.insert(chance.randrange(len(s.body) + 1), Statement("branch", name, leaf("new")))
        else:
            while s.body == before:
                chance.shuffle(s.body)
        return f"{how} {s.name}", how
    assert kind == "subtype"
    block, at = chance.choice([(b, i) for b, i in places if b[i].kind in {"step", "condition", "child"}])
    s = block[at]
    if s.kind == "condition" or (s.kind == "step" and chance.random() < 0.5):
        s.kind = "step" if s.kind == "condition" else "condition"
    else:
        s.sub_type = "Special"
    return f"{s.kind} {s.name}", "subtype changed"


def _move(statements: Plan, places: list[tuple[Plan, int]], chance: random.Random) -> tuple[str, str] | None:
    ways: list[tuple[str, Plan, int]] = []
    for block, at in places:
        if block[at].kind in LEAVES:
            ways.append(("wrapped", block, at))
            if at + 1 < len(block) and block[at + 1].kind == "child":
                ways.append(("into the next", block, at))
            if at and block[at - 1].kind == "child":
                ways.append(("into the last", block, at))
        if block[at].kind == "child" and block[at].body[0].kind in LEAVES:
            ways.append(("unwrapped", block, at))
            ways.append(("first out", block, at))
            if block[at].body[-1].kind in LEAVES:
                ways.append(("last out", block, at))
    way, block, at = chance.choice(ways)
    s = block[at]
    if way == "wrapped":
        block[at] = Statement("child", "wrap", [s])
    elif way == "into the next":
        block[at + 1].body.insert(0, block.pop(at))
    elif way == "into the last":
        block[at - 1].body.append(block.pop(at))
    elif way == "unwrapped":
        block[at : at + 1] = s.body
    elif way == "first out":
        block.insert(at, s.body.pop(0))
    else:
        block.insert(at + 1, s.body.pop())
    return f"{way} {s.name}", "moved"


def mutations(
    name: str, kind: str, count: int, seed: int, prepared: Callable[[Plan], Plan] = copy.deepcopy
) -> list[Mutation]:
    """Different mutations of one handler; `prepared` makes the plan that is changed of the one that was recorded."""
    chance = random.Random(f"{name} {kind} {seed}")
    found: dict[str, Mutation] = {}
    is_async, statements = HANDLERS[name]
    for _ in range(count * 8):
        if len(found) == count:
            break
        now = prepared(statements)
        done = mutate(now, kind, chance)
        if done is None:
            continue
        what, cause = done
        source = Writer(is_async).write(now)
        before = copy.deepcopy(statements)
        Writer(is_async).write(before)
        old, new = departure(laid_out(before), laid_out(now))
        if old is new is None and kind == "inserted":
            found[source] = Mutation(name, kind, what, source, "clean", None, now)  # at the end of one that failed
        if old is new is None:
            continue  # no operation has changed (a loop that did not run)
        whole_batch = kind == "branches" or any(
            node is not None and node.statement.kind == "branch" for node in (old, new)
        )
        maps = {s.name for b in blocks(now) for s in b if s.kind == "map"}
        if (kind == "loop" and what.split()[-1] in maps) or kind == "branches":  # the number of items of a map
            line = next(s.line for b in blocks(now) for s in b if s.name == what.split()[-1])
        else:
            line = None if new is None else new.line
        if new is None and cause == "removed" and not whole_batch and not (kind == "loop" and line):
            cause, line = AMBIGUOUS, None
        found[source] = Mutation(name, kind, what, source, cause, line, now)
    return list(found.values())
