"""One studio for all tests of the service that leave it as they found it."""

import pytest

from tests.studio.service import serving


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("studio")) as client:
        yield client
