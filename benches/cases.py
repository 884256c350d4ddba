"""What is compared, and what each comparison owes."""

from __future__ import annotations

from benches.case import Case, steps

COLOURS = ("def", "async def")
SHAPES = (("steps in nested children", "children"), ("mixed operations", "mixed"))
ENDINGS = (("does nothing", "empty"), ("suspends", "suspending"))
REPLAYED_MAPS = (
    ("map with 10,000 finished branches", {"items": 10_000}),
    ("map of 1,000, half of its branches finished", {"items": 500, "waiting": 500}),
)

REPLAY = (
    Case("replay, 1,000 finished steps", "replay", "us/op", steps(1_000), 50),
    Case("replay, 10,000 finished steps", "replay", "us/op", steps(10_000), 50),
    Case("replay, 100,000 finished steps", "replay", "us/op", steps(100_000), 50, rounds=3, heavy=True),
    Case("replay, 10,000 steps, fixed cost taken off", "replay", "us/op", steps(10_000, net=True), rounds=3),
    *(
        Case(
            f"replay, {count:,} finished steps, async def",
            "replay",
            "us/op",
            steps(count, colour="async def"),
            rounds=1 if count == 100_000 else 3,
            heavy=count == 100_000,
        )
        for count in (1_000, 10_000, 100_000)
    ),
    *(
        Case(
            f"replay, 10,000 {words}, {colour}",
            "shapes",
            "us/op",
            steps(10_000, shape=shape, colour=colour),
            rounds=3,
        )
        for words, shape in SHAPES
        for colour in COLOURS
    ),
    *(
        Case(
            f"replay, 1,000 results of {size}: {words}, {colour}",
            "results",
            "us/op",
            steps(1_000, kind=kind, colour=colour),
            budget if colour == "def" else None,
            rounds=3,
        )
        for colour in COLOURS
        for size, words, kind, budget in (
            ("1 KB", "plain JSON", "rows_1k", None),
            ("10 KB", "plain JSON", "rows", 30),
            ("200 bytes", "Decimal, UUID, datetime", "small_rich", None),
            ("1 KB", "Decimal, UUID, datetime", "rich_1k", None),
            ("10 KB", "Decimal, UUID, datetime", "rich", 20),
        )
    ),
    Case("replay, 10,000 steps in pages over boto3", "wire", "us/op", steps(10_000, what="pages"), 20, rounds=3),
    Case(
        "replay, 10,000 steps in pages over boto3, async def",
        "wire",
        "us/op",
        steps(10_000, what="pages", colour="async def"),
        rounds=3,
    ),
    *(
        Case(
            f"replay, 10,000 steps in pages, light transport{end}",
            "wire",
            "us/op",
            steps(10_000, what="pages", transport="light", colour=colour),
            rounds=3,
            heavy=colour == "async def",
        )
        for end, colour in zip(("", ", async def"), COLOURS, strict=True)
    ),
)

GROWTH = tuple(
    Case(
        f"growth of replay cost, 1,000 -> {count:,}{end}",
        "replay",
        "us/op",
        steps(count, colour=colour),
        1.2 if colour == "def" else None,
        "most",
        3 if colour == "def" else 1,
        "ours",
        ("replay", steps(1_000, colour=colour)),
        heavy=True,
    )
    # A million of `async def` right after a million of `def`: they share one history, which takes long to make.
    for count in (100_000, 1_000_000)
    for end, colour in zip(("", ", async def"), COLOURS, strict=True)
)

ASYNC = (
    Case(
        "async replay, 10,000 awaited in turn, against our def",
        "shapes",
        "us/op",
        steps(10_000, shape="steps", colour="async def"),
        2,
        "most",
        5,
        "ours",
        ("shapes", steps(10_000, shape="steps")),
    ),
    Case(
        "async replay, gather over 10,000, against our def",
        "tasks",
        "us/op",
        steps(10_000, what="gather"),
        10,
        "most",
        5,
        "ours",
        ("shapes", steps(10_000, shape="steps")),
    ),
    Case(
        "async map of 10,000 items, each a step that awaits",
        "tasks",
        "us/item",
        steps(10_000, what="map"),
        rounds=1,
        against="nobody",
    ),
    Case(
        "async map of 10,000 items: threads that ran its code",
        "tasks",
        "",
        steps(10_000, what="threads"),
        1,
        "limit",
        1,
        "nobody",
        no_floor="a count, and the budget is the least there can be",
    ),
    Case(
        "async map of 10,000 items: peak memory",
        "tasks",
        "bytes/item",
        steps(10_000, what="memory"),
        rounds=1,
        against="nobody",
    ),
)

JAVASCRIPT = (
    *(
        Case(
            f"replay, {count:,} steps, {colour}, against JavaScript",
            "shapes",
            "us/op",
            steps(count, shape="steps", colour=colour),
            rounds=3,
            against="javascript",
            other=("replay", steps(count)),
        )
        for colour in COLOURS
        for count in (1_000, 10_000)
    ),
    *(
        # The other shapes under `async def`: its handlers are coroutines, and ours are quicker as `def`.
        Case(
            f"{label}, async def, against JavaScript",
            question,
            unit,
            arguments,
            rounds=3,
            against="javascript",
            other=other,
            heavy=question == "wire",
        )
        for label, question, unit, arguments, other in (
            (
                "replay, 10,000 steps together",
                "tasks",
                "us/op",
                steps(10_000, what="gather"),
                ("replay", steps(10_000, shape="gather")),
            ),
            *(
                (
                    f"replay, 10,000 {words}",
                    "shapes",
                    "us/op",
                    steps(10_000, shape=shape, colour="async def"),
                    ("replay", steps(10_000, shape=shape)),
                )
                for words, shape in SHAPES
            ),
            *(
                (
                    f"replay, 1,000 results of {size}: plain JSON",
                    "results",
                    "us/op",
                    steps(1_000, kind=kind, colour="async def"),
                    ("replay", steps(1_000, shape="results", length=length)),
                )
                for size, kind, length in (("1 KB", "rows_1k", 5), ("10 KB", "rows", 46))
            ),
            (
                "replay, 10,000 steps in pages over boto3",
                "wire",
                "us/op",
                steps(10_000, what="pages", colour="async def"),
                ("wire", steps(10_000, what="pages")),
            ),
            *(
                (
                    label,
                    "maps",
                    "us/item",
                    {**branches, "what": "replay", "colour": "async def"},
                    ("map", branches),
                )
                for label, branches in REPLAYED_MAPS
            ),
            *(
                (
                    f"invocation that {words}",
                    "fixed",
                    "ms",
                    {"ending": ending, "colour": "async def"},
                    ("fixed", {"ending": ending}),
                )
                for words, ending in ENDINGS
            ),
            (
                "fresh step, in-memory client, beyond 0 ms",
                "fresh",
                "ms",
                {"latency_ms": 0, "colour": "async def"},
                ("fresh", {"latency_ms": 0}),
            ),
            (
                "fresh step, boto3, beyond 20 ms",
                "wire",
                "ms",
                steps(20, what="fresh", latency_ms=20, colour="async def"),
                ("wire", steps(20, what="fresh", latency_ms=20)),
            ),
            (
                "map of 1,000 one-step items, latency 0 ms",
                "maps",
                "us/item",
                {"items": 1_000, "colour": "async def"},
                ("freshMap", {"items": 1_000}),
            ),
        )
    ),
)

SERDES = tuple(
    Case(f"serdes, {way} {words}", "serdes", "us", {"kind": kind, "way": way}, rounds=3)
    for way in ("read", "write")
    for words, kind in (
        ("a small dict", "small"),
        ("10 KB of rows", "rows"),
        ("10 KB of Decimal, UUID", "rich"),
        ("10 KB of words beyond ASCII", "words"),
    )
)

FIRST_RUNS = (
    *(
        Case(
            f"invocation that {words}{end}",
            "fixed",
            "ms",
            {"ending": ending, "colour": colour},
            1,
            "limit",
            3,
        )
        for end, colour in zip(("", ", async def"), COLOURS, strict=True)
        for words, ending in ENDINGS
    ),
    Case(
        "requests per fresh step",
        "requests",
        "",
        {},
        1,
        "limit",
        rounds=1,
        no_floor="a count, and the budget is the least there can be",
    ),
    *(
        Case(
            f"fresh step, in-memory client, beyond {latency_ms} ms{end}",
            "fresh",
            "ms",
            {"latency_ms": latency_ms, "colour": colour},
            rounds=3,
        )
        for end, colour in zip(("", ", async def"), COLOURS, strict=True)
        for latency_ms in (0, 20)
    ),
    *(
        Case(
            f"fresh step, {words}, beyond 20 ms{end}",
            "wire",
            "ms",
            steps(20, what="fresh", latency_ms=20, transport=transport, colour=colour),
            budget if colour == "def" else None,
            rounds=5 if colour == "def" else 3,
            heavy=colour == "async def",
        )
        for end, colour in zip(("", ", async def"), COLOURS, strict=True)
        for words, transport, budget in (("boto3", "boto3", 2), ("light transport", "light", 4))
    ),
    Case("import, beyond bare Python", "imports", "ms", {}, 3),
    *(
        Case(
            f"cold process to its first finished invocation, {transport}",
            "wire",
            "ms",
            {"what": "cold", "transport": transport},
            budget,
            rounds=11,  # each is over in half a second, of which the machine's mood is a good part
        )
        for transport, budget in (("boto3", 1.5), ("light", 2))
    ),
    Case(
        "fresh step, boto3, beyond 20 ms, against a plain boto3 call",
        "wire",
        "ms",
        steps(20, what="fresh", latency_ms=20),
        rounds=3,
        against="bare",
        other=("wire", steps(20, what="boto3 alone", latency_ms=20)),
        heavy=True,
    ),
    Case(
        "cold process to its first finished invocation, boto3, against a plain boto3 call",
        "wire",
        "ms",
        {"what": "cold"},
        rounds=3,
        against="bare",
        other=("wire", steps(0, what="boto3 alone")),
        heavy=True,
    ),
    Case("memory per replayed operation", "memory", "bytes", steps(50_000), 4, rounds=1),
)

MAPS = (
    *(
        Case(
            f"map of 1,000 one-step items, latency {latency_ms} ms{end}",
            "maps",
            "us/item",
            {"items": 1_000, "latency_ms": latency_ms, "colour": colour},
            5 if latency_ms == 0 and colour == "def" else None,
            rounds=5 if latency_ms == 0 and colour == "def" else 3,
        )
        for end, colour in zip(("", ", async def"), COLOURS, strict=True)
        for latency_ms in (0, 20)
    ),
    Case(
        "map of 1,000 items: threads at the peak",
        "maps",
        "",
        {"items": 1_000, "what": "threads"},
        64,
        "limit",
        1,
        no_floor="a count: one thread would do, one item after the other",
    ),
    *(
        Case(f"{label}, {colour}", "maps", "us/item", {**branches, "what": "replay", "colour": colour}, rounds=3)
        for label, branches in REPLAYED_MAPS
        for colour in COLOURS
    ),
)

CHECKS = (
    Case(
        "durable replay over 10,000 histories of 100, against a bare loop",
        "checks",
        "us/history",
        {"what": "tool", "histories": 10_000},
        3,
        "most",
        2,
        "bare",
        ("checks", {"what": "bare", "histories": 10_000}),
        floor_is_other=True,
        heavy=True,
    ),
    Case(
        "durable replay: its gain from two workers, next to a bare loop's",
        "checks",
        "",
        {"what": "tool gain", "histories": 10_000},
        0.85,
        "share",
        1,
        "bare",
        ("checks", {"what": "bare gain", "histories": 10_000}),
        floor_is_other=True,
        heavy=True,
    ),
)

CASES = (*REPLAY, *GROWTH, *ASYNC, *JAVASCRIPT, *SERDES, *FIRST_RUNS, *MAPS, *CHECKS)
