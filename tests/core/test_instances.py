"""Statuses, entity ids and escaped keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdd.core.instances import RuntimeStatus, escape_key, is_entity_id, unescape_key


@pytest.mark.parametrize("text", ["Pending", "Running", "Suspended", "ContinuedAsNew", "Sleeping", "running", "", None])
def test_a_status_that_is_not_known_to_be_finished_is_alive(text: str | None) -> None:
    assert RuntimeStatus.parse(text).is_live


@pytest.mark.parametrize("text", ["Completed", "Failed", "Canceled", "Terminated"])
def test_a_finished_status_is_not_alive(text: str) -> None:
    assert not RuntimeStatus.parse(text).is_live


@pytest.mark.parametrize("instance_id", ["@counter@a", "@counter@", "@c@a@b", "@counter@/odd"])
def test_an_id_with_a_name_between_two_at_signs_is_an_entity(instance_id: str) -> None:
    assert is_entity_id(instance_id)


@pytest.mark.parametrize("instance_id", ["@order", "order@shop@1", "@@key", "@", "", "order"])
def test_a_leading_at_sign_alone_does_not_make_an_entity(instance_id: str) -> None:
    assert not is_entity_id(instance_id)


@pytest.mark.parametrize(
    ("instance_id", "key"),
    [("a/b", "a^0b"), ("a\\b", "a^1b"), ("a#b", "a^2b"), ("a?b", "a^3b"), ("a^b", "a^^b"), ("a\nb", "a^Êb")],
)
def test_a_key_is_escaped_as_the_engine_does(instance_id: str, key: str) -> None:
    assert escape_key(instance_id) == key


@given(st.text())
def test_unescaping_an_escaped_key_gives_the_id_back(instance_id: str) -> None:
    assert unescape_key(escape_key(instance_id)) == instance_id
