"""The demo's end: its last line and its exit code are honest."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from demo.audit import Audit, Instance
from demo.release import Outcome
from demo.summary import Result
from demo.traffic import Failure, Kind, Ledger, Placed

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def instance(number: int, fault: str | None = None) -> Instance:
    return Instance("OrdersBlue", f"id-{number}", "order", "1.0.0", "Completed", NOW, fault)


def good() -> Result:
    late = tuple(
        Placed(f"id-{n}", "OrdersGreen", "1.1.0", "late", NOW, {}, "http://x/i", "http://x/e") for n in range(6)
    )
    return Result(
        ledger=Ledger(Counter({Kind.POLL: 500, Kind.START: 60})),
        audit=Audit(tuple(instance(number) for number in range(60)), ()),
        release=Outcome(True, 71.6, ()),
        in_staging_at_the_start=12,
        late=late,
    )


def test_the_last_line_says_what_was_counted() -> None:
    line = good().last_line
    assert line == "demo: 560 requests, 0 failed; 60 instances, 0 broken; release succeeded in 72 s"
    assert re.fullmatch(r"demo: \d+ requests, 0 failed; \d+ instances, 0 broken; release succeeded in \d+ s", line)


def test_a_good_demo_exits_with_zero() -> None:
    assert good().exit_code == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"ledger": Ledger(Counter({Kind.POLL: 900}), [Failure(Kind.POLL, NOW, "503")])},
        {"audit": Audit((*good().audit.orders, instance(99, "still Running")), ())},
        {"audit": Audit(good().audit.orders, (instance(99, "Failed"),))},
        {"audit": Audit(good().audit.orders, (), lost=("gone",))},
        {"release": Outcome(False, 10.0, ())},
        {"in_staging_at_the_start": 9},
        {"late": good().late[:4]},
        {"ledger": Ledger(Counter({Kind.POLL: 499}))},
        {"audit": Audit(good().audit.orders[:49], ())},
    ],
)
def test_anything_failed_broken_or_too_little_exits_with_one(changes: dict[str, Any]) -> None:
    assert replace(good(), **changes).exit_code == 1
