"""Requests that schemathesis makes of the OpenAPI document: none gets an answer that is not described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from cli_support import world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from serve_support import load, make_service, server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import BaseSchema, Case

pytestmark = pytest.mark.usefixtures("one_thread")

_ASKED = [
    ("/v1/predict", "POST"),
    ("/v1/explain", "POST"),
    ("/v1/library/songs", "GET"),
    ("/v1/library/similar", "GET"),
]
_PLAIN = [("/v1/genres", "GET"), ("/v1/model", "GET"), ("/healthz", "GET"), ("/metrics", "GET")]  # nothing to ask for
_QUICK = settings(
    max_examples=20, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
_CHECKS = {  # what is no audio fits the schema, which describes a file's bytes only, and is refused all the same
    "checks": {"positive_data_acceptance": {"expected-statuses": [200, 400, 404, 422]}}
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    with server_of(make_service(load(world(tmp_path_factory)))) as address:
        config = schemathesis.Config.from_dict(_CHECKS)
        yield schemathesis.openapi.from_url(f"{address}openapi.json", config=config)


def test_every_operation_is_tried(document: BaseSchema) -> None:
    found = [each.ok() for each in document.get_all_operations() if isinstance(each, Ok)]
    assert {(each.path, each.method.upper()) for each in found} == {*_ASKED, *_PLAIN}


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [(*each, mode) for each in (*_ASKED, *_PLAIN) for mode in GenerationMode if mode.is_positive or each in _ASKED],
)
def test_no_request_gets_what_is_not_described(
    path: str, method: str, mode: GenerationMode, document: BaseSchema
) -> None:
    @given(data=st.data())
    @_QUICK
    def ask(data: st.DataObject) -> None:
        case: Case[Any] = data.draw(document[path][method].as_strategy(generation_mode=mode))
        case.call_and_validate()

    ask()
