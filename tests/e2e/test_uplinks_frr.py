"""As test_uplinks.py, where FRR is what the provider's router runs: some of the outages, as the rest is the same."""

import pytest

import outages
from netlab import Frr


@pytest.fixture(scope="module")
def at_once(shared_lab, request):
    return shared_lab.keep(outages.AtOnce(Frr, outages.wanted(request)))


@pytest.mark.parametrize("outage", ["session shut", "TCP 179 dropped", "BGP daemon killed"])
def test_the_board_is_reached_and_a_console_goes_on(at_once, outage):
    print(at_once.outcome(outage))
