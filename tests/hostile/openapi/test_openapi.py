"""Generated calls by the OpenAPI document of the running blender: no 5xx, and every answer is as the document says.

schemathesis draws them from the document itself, valid and not; see its
`GenerationMode`. The draws are the same every time.
"""

from __future__ import annotations

from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.whole.pictures import write_pictures
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

EXAMPLES = 60
"""Of each route and mode."""
QUESTIONS = {
    *("POST /v1/search", "POST /v1/search/batch", "POST /v1/search/image", "POST /v1/search/vector"),
    *("GET /v1/search/text", "GET /v1/suggest", "GET /v1/products/{product_id}/similar"),
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def listed(system: System) -> None:
    """Something to be found."""
    (url,) = write_pictures(system.home / "openapi", range(80_000, 80_001))
    event = {"type": "product_added", "product_id": "a/b", "product": {"title": "t"}, "images": [{"url": url}]}
    system.produce(event)
    system.wait_searchable(["a/b"])


@pytest.mark.usefixtures("listed")
def test_generated_calls_are_answered_as_documented(system: System) -> None:
    load_all_checks()
    document = requests.get(f"{system.base}/openapi.json", timeout=60).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=system.base)
    statuses: Counter[str] = Counter()
    with requests.Session() as session:
        session.trust_env = False
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in operations:
            for mode in GenerationMode:
                _call_all(operation, mode, session, statuses)
    assert len(operations) >= 8
    assert {operation.label for operation in operations} >= QUESTIONS
    assert {label.rpartition(" ")[2][0] for label in statuses} >= {"2", "4"}, statuses


def _call_all(
    operation: schemathesis.APIOperation, mode: GenerationMode, session: requests.Session, statuses: Counter[str]
) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: schemathesis.Case) -> None:
        response = case.call(session=session, timeout=120)
        statuses[f"{operation.label} {response.status_code}"] += 1
        case.validate_response(response, checks=CHECKS)

    try:
        call()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, f"{operation.label} takes nothing that could be wrong"
