from pathlib import Path

import pytest

from engine.data.download_lock import alone_at


def unsaid(sentence: str) -> None:
    raise AssertionError(sentence)


def test_lock_is_free_again_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="failed"), alone_at("Some set", tmp_path / "set", unsaid):
        raise ValueError("failed")
    with alone_at("Some set", tmp_path / "set", unsaid):
        assert [path.name for path in tmp_path.iterdir()] == ["set.lock"]


def test_two_data_sets_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with (
        alone_at("Some set", tmp_path / "some", unsaid),
        alone_at("Another set", tmp_path / "another", unsaid),
    ):
        pass


def test_nobody_waits_where_no_lock_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    root = tmp_path / "cache" / "set"
    with alone_at("Some set", root, unsaid), alone_at("Some set", root, unsaid):
        pass
