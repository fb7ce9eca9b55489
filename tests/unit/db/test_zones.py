"""The zone of this machine, as it is found on Debian, in containers, and where nobody has set one."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.db.zones import machine_zone, written_offset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.mark.parametrize("named", ["Europe/Berlin", ":Europe/Berlin", ":/usr/share/zoneinfo/Europe/Berlin"])
def test_the_variable_goes_first(root: Path, named: str) -> None:
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert machine_zone({"TZ": named}, root) == "Europe/Berlin"


@pytest.mark.parametrize("link", ["/usr/share/zoneinfo/Asia/Tokyo", "../usr/share/zoneinfo/Asia/Tokyo"])
def test_then_the_link_of_the_local_time(root: Path, link: str) -> None:
    (root / "etc/localtime").symlink_to(link)
    (root / "etc/timezone").write_text("Europe/Paris\n")
    assert machine_zone({}, root) == "Asia/Tokyo"


def test_then_the_name_that_debian_writes(root: Path) -> None:
    (root / "etc/localtime").write_bytes(b"TZif2")  # a copy tells no name
    (root / "etc/timezone").write_text("Europe/Paris\n")
    assert machine_zone({}, root) == "Europe/Paris"


def test_a_machine_may_have_none(root: Path) -> None:
    assert machine_zone({}, root) is None


@pytest.mark.parametrize(
    ("seconds", "written"), [(3600, "+01:00"), (20700, "+05:45"), (-12600, "-03:30"), (0, "+00:00")]
)
def test_an_offset_is_written_as_in_a_case(seconds: int, written: str) -> None:
    assert written_offset(seconds) == written
