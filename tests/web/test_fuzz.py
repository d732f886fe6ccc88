"""Every end point is thrown at what its own description allows: none answers with a fault.

What Twilio must sign is signed, and every other link is a good one, so that more is reached than
the refusals.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drip.app import App
from drip.config import Secret, Settings
from drip.core.outgoing import Accepted
from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from drip.web.app import create_app
from drip.web.twilio_hooks import PREFIX
from tests.services.desk import DAY, NOW, Desk
from tests.services.flight import fly
from tests.web.conftest import PUBLIC, TOKEN, sign

SECRET = "a secret for tests, long enough to be one"
EXAMPLES = 25
PURPOSES = {"/v/": "page", "/u/": "unsubscribe", "/p/": "preferences"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A clinic with a patient, whose welcome went out, in a file."""
    folder = tmp_path_factory.mktemp("fuzz")
    url = f"sqlite:///{folder / 'drip.db'}"
    engine = open_engine(url)
    upgrade(engine)
    desk = Desk(engine)
    row = desk.row(desk.enroll().enrollment_id, "welcome")
    fly(desk, [row], Accepted("SM1"), NOW)
    assert (row.id, row.patient_id) == (1, 1)
    engine.dispose()
    app = App(
        Settings(
            database_url=Secret(url),
            public_url=PUBLIC,
            secret_key=Secret(SECRET),
            twilio_auth_token=Secret(TOKEN),
        ),
        lambda: NOW,
        Path(folder),
    )
    yield app
    app.engine.dispose()


@pytest.fixture(scope="module")
def api(house: App) -> schemathesis.BaseSchema:
    """The description that the service gives of itself."""
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(house))


turns = count()
END_POINTS = [
    (method, path)
    for path, methods in create_app(App(Settings())).openapi()["paths"].items()
    for method in methods
]


@pytest.mark.parametrize(("method", "path"), END_POINTS, ids=[f"{m} {p}" for m, p in END_POINTS])
@given(data=st.data())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_end_point_answers_with_a_fault(
    api: schemathesis.BaseSchema, house: App, method: str, path: str, data: st.DataObject
) -> None:
    case = data.draw(api[path][method].as_strategy())
    if path.startswith(PREFIX):
        _sign(case)
    elif next(turns) % 2:
        _give_a_good_link(case, house)
    assert case.call().status_code < 500


def _sign(case: Any) -> None:
    drawn = case.body if isinstance(case.body, dict) else {}
    fields = {name: str(value) for name, value in drawn.items()}
    case.body, case.query = fields, {}
    case.media_type = "application/x-www-form-urlencoded"
    case.headers["X-Twilio-Signature"] = sign(PUBLIC + case.formatted_path, fields)


def _give_a_good_link(case: Any, house: App) -> None:
    purpose = PURPOSES.get(case.path[:3])
    if purpose is not None and house.links is not None:
        url = house.links.url(purpose, 1, 1, NOW + DAY)  # type: ignore[arg-type]
        case.path_parameters["token"] = url.rpartition("/")[2]
