import pytest

import harness


@pytest.fixture
def lab():
    with harness.Lab() as one:
        yield one
