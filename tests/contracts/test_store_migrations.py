"""What an upgrade keeps: a database of each kind, full of rows, one revision back and forth."""

from sqlalchemy import inspect, text

from engine.domain.config import SearchConfig, TrainingConfig
from engine.domain.run import Progress, RunState
from storage import migrations
from storage.migrations import SCRIPTS, downgrade, revision_of
from storage.session import Database, connect
from storage.sql_store import SqlStore
from tests.contracts.samples import CPU, GENOTYPE_TEXT, HeldClock, checkpoint_at, snapshot_at


def everything(store: SqlStore) -> list[object]:
    """All rows that both revisions have, as values."""
    return [
        (
            run,
            store.events(run.id),
            store.snapshots(run.id),
            store.series(run.id),
            store.checkpoints(run.id),
        )
        for run in store.runs()
    ]


def filled(address: str) -> SqlStore:
    store = SqlStore(address, HeldClock())
    first = store.create(SearchConfig(seed=3), name="first")
    store.create(SearchConfig(), name="fork", parent_id=first.id)
    store.claim(first.id, node="m1", device=CPU)
    store.append(first.id, 1, [snapshot_at(1), snapshot_at(2)], Progress(step=2))
    store.add_checkpoint(first.id, 1, checkpoint_at(2))
    return store


def columns_of(database: Database, table: str) -> set[str]:
    with database.read() as connection:
        return {column["name"] for column in inspect(connection).get_columns(table)}


def test_trainings_and_jobs_come_and_go_without_touching_another_row(address: str) -> None:
    store = filled(address)
    before = everything(store)
    run_id = before[0][0].id  # type: ignore[index]
    store.ask_job(run_id, "child", {"step": 2})
    store.close()

    database = connect(address)
    with database.state.begin() as connection:
        downgrade(connection, SCRIPTS, "0001")
        assert revision_of(connection) == "0001"
        counts = [
            connection.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("run", "event", "snapshot", "checkpoint", "gpu_lease")
        ]
        assert counts == [2, 4, 2, 1, 1]
    assert "purpose" not in columns_of(database, "run")
    database.close()

    again = SqlStore(address, HeldClock())
    assert "purpose" in columns_of(again.database, "run")
    assert everything(again) == before
    assert again.jobs() == []
    assert [run.name for run in again.runs(purpose="search")] == ["fork", "first"]
    training = again.create(TrainingConfig(genotype=GENOTYPE_TEXT), name="training")
    assert again.runs(purpose="training") == [training]
    assert again.ask_job(run_id, "child", {"step": 2}).id >= 1
    again.transition(run_id, RunState.STOPPED, why="test")
    again.close()


def test_words_of_a_person_come_and_go_without_touching_another_row(address: str) -> None:
    store = filled(address)
    before = everything(store)
    run_id = before[0][0].id  # type: ignore[index]
    store.annotate(run_id, tags=["kept?"], notes="no", archived=True)
    store.close()

    database = connect(address)
    with database.state.begin() as connection:
        downgrade(connection, SCRIPTS, "0002")
    assert not {"tags", "notes", "archived"} & columns_of(database, "run")
    database.close()

    again = SqlStore(address, HeldClock())
    assert everything(again) == before
    again.close()


def test_jobs_without_a_run_come_and_go_and_no_number_is_given_twice(address: str) -> None:
    store = filled(address)
    before = everything(store)
    run_id = before[0][0].id  # type: ignore[index]
    kept = store.ask_job(run_id, "child", {"step": 2})
    store.take_job("m1")
    kept = store.finish_job(kept.id, 1, result={"error": 7.5})
    last = store.ask_job(None, "data", {"config": {}})
    store.close()

    database = connect(address)
    with database.state.begin() as connection:
        downgrade(connection, SCRIPTS, "0004")
        columns = {column["name"]: column for column in inspect(connection).get_columns("job")}
        assert columns["run_id"]["nullable"] is False
        assert connection.scalar(text("SELECT count(*) FROM job")) == 1
    database.close()

    again = SqlStore(address, HeldClock())
    assert everything(again) == before
    assert again.jobs() == [kept]
    assert again.ask_job(run_id, "child", {"step": 2}) == kept
    fresh = again.ask_job(None, "data", {"config": {}})
    assert fresh.id > last.id
    assert again.ask_job(None, "data", {"config": {}}) == fresh
    again.transition(run_id, RunState.STOPPED, why="test")
    again.delete(run_id)
    assert again.jobs() == [fresh]
    again.close()


def test_head_of_the_code_is_the_revision_of_a_new_database(address: str) -> None:
    store = SqlStore(address, HeldClock())
    with store.database.read() as connection:
        assert revision_of(connection) == migrations.HEAD
    store.close()
