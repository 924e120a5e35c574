import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "lab"))

import harness  # noqa: E402
import lab as bmc_lab  # noqa: E402


@pytest.fixture
def lab():
    with harness.Lab() as one:
        yield one


@pytest.fixture(scope="module")
def shared_lab():
    """For what takes long to start: the tests of a file then go on with what those before them left."""
    with harness.Lab() as one:
        yield one


@pytest.fixture(scope="module")
def bmcs(shared_lab):
    """make(KIND, ...) starts a BMC of tests/lab; the test is skipped, with the reason, where it can't be had."""
    def make(kind, *arguments):
        try:
            return shared_lab.keep(kind(*arguments))
        except bmc_lab.Missing as missing:
            pytest.skip(str(missing))
    return make
