"""Fixtures of the acceptance tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation
from tests.containers import AsteriskContainer


@pytest.fixture
def dialer(empty_database: str, asterisk: AsteriskContainer, tmp_path: Path) -> Iterator[Installation]:
    """A dialer that is installed and not started, beside the run's Asterisk."""
    with Installation(empty_database, asterisk, tmp_path) as installation:
        yield installation
