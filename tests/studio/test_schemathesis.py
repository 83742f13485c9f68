"""What schemathesis makes of the description of the service: no request is answered with a fault of its own.

Of every address some requests are as the description allows, and some are not.
"""

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from tests.studio.service import serving

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
ENDLESS = "/api/events"
"""Its answer goes on as long as somebody listens; test_jobs.py hears it."""
# The service, which is a thread of this process, draws random numbers while hypothesis makes a request.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("described"), workers=False) as client:
        yield client


def send(client: Any, examples: int) -> int:
    """Send so many requests of either sort to every address; return how many that were."""
    schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json"))
    operations = [found.ok() for found in schema.get_all_operations()]
    return sum(
        send_to(client, operation, mode, examples)
        for operation in operations
        for mode in schemathesis.GenerationMode
        if operation.path != ENDLESS
    )


def send_to(client: Any, operation: Any, mode: Any, examples: int) -> int:
    sent = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal sent
        sent += 1
        where = f"http://127.0.0.1:{client.port}"
        answer = case.call(base_url=where, headers={"X-Fogcatcher": "1"}, timeout=300)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        if answer.status_code >= 400:
            assert answer.json()["error"]

    with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where nothing is sent
        ask()
    return sent


@pytest.mark.slow
def test_no_request_that_schemathesis_makes_is_a_fault_of_the_service(alone):
    assert send(alone, 3) > 100


@pytest.mark.slow
def test_nor_many_of_them(alone):
    assert send(alone, 60) > 2000
