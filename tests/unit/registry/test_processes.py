"""Several processes on one registry lose nothing and double nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry import Registry, open_registry
from tests.databases import fresh_postgres, fresh_sqlite
from tests.processes import FORKED
from tests.unit.registry import workers


def in_processes(work: Callable[[str, int], Any], url: str, n: int) -> list[Any]:
    """What ``n`` processes returned; an exception in one of them is raised here."""
    with FORKED.Pool(n) as pool:
        waiting = [pool.apply_async(work, (url, k)) for k in range(n)]
        return [one.get(120) for one in waiting]


def count(reg: Registry, what: str) -> int:
    with reg.read() as tx:
        return int(tx.conn.exec_driver_sql(f"SELECT count(*) FROM {what}").scalar_one())


def test_five_processes_on_one_registry_lose_and_double_nothing(registry_url: str) -> None:
    """P1, P2, P15: 5 channels bring the same 200 SKUs at once; each is one record, counted five times."""
    done = in_processes(workers.hammer, registry_url, 5)
    reg = open_registry(registry_url)
    assert [one["accepted"] for one in done] == [200] * 5
    assert count(reg, "record") == count(reg, "matchkey") == 200
    assert count(reg, 'record WHERE "values" = \'{"n":5}\'') == 200, "an update was lost"
    assert count(reg, "binding") == count(reg, "hop") == 1_000
    assert count(reg, "(SELECT DISTINCT uid FROM binding) AS bound") == 200
    assert count(reg, "outbox WHERE claimed_by IS NOT NULL") == 0
    assert sum(one["told"] for one in done) >= 200 - count(reg, "outbox")
    assert reg.inbox.waiting() == 8, "a delivery repeated by five processes counts once"
    reg.close()


def test_two_processes_that_create_the_same_sku_make_one_record(registry_url: str) -> None:
    """P2: two channels bringing the same new SKU at the same moment are bound to one record."""
    uids = in_processes(workers.create_the_same, registry_url, 2)
    reg = open_registry(registry_url)
    assert len(set(uids)) == 1
    assert count(reg, "record") == count(reg, "matchkey") == 1
    assert count(reg, "binding") == 2
    reg.close()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_processes_that_migrate_at_once_all_find_it_done(dialect: str, tmp_path: Path) -> None:
    """P15: whoever starts first migrates, the others wait; nobody fails."""
    with fresh_sqlite(tmp_path, migrated=False) if dialect == "sqlite" else fresh_postgres(migrated=False) as url:
        assert in_processes(workers.migrate, url, 3) == [True] * 3
