"""Packages: from package storage (Azurite) or a path, for the length of a `with`."""

from __future__ import annotations

import json

import pytest
from azure.storage.blob import BlobServiceClient

from zdd.exceptions import BadInput, Unknown
from zdd.hooks.packages import open_package


@pytest.fixture
def storage(azurite, monkeypatch):
    def connect(text=azurite) -> str:
        fields = {"conn_type": "wasb", "extra": {"connection_string": text}}
        monkeypatch.setenv("AIRFLOW_CONN_ZDD_TEST_PACKAGES", json.dumps(fields))
        return "zdd_test_packages"

    return connect


def test_a_blob_is_there_inside_the_with_and_gone_after_it(azurite, storage):
    with BlobServiceClient.from_connection_string(azurite) as service:
        service.create_container("pack-a")
        service.get_blob_client("pack-a", "deep/app.zip").upload_blob(b"content")
    with open_package("wasb://pack-a/deep/app.zip", storage_conn_id=storage()) as path:
        assert path.read_bytes() == b"content"
    assert not path.exists()


def test_a_path_on_the_worker_is_taken_as_it_is(tmp_path):
    with open_package(f" {tmp_path}/app.zip ") as path:
        assert path == tmp_path / "app.zip"


@pytest.mark.parametrize("source", ["wasb://nosuchcontainer/app.zip", "wasb://nosuchcontainer2/deep/app.zip"])
def test_a_blob_that_does_not_exist_is_named(storage, source):
    with pytest.raises(BadInput, match=source), open_package(source, storage_conn_id=storage()):
        pass


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("", "No package"),
        ("wasb://only-a-container", "incomplete"),
        ("wasb:///blob.zip", "incomplete"),
        ("https://x.blob.core.windows.net/c/b.zip?sv=2020&sig=SECRET", "https://"),
    ],
)
def test_an_address_of_another_form_is_refused_without_repeating_a_secret(source, named):
    with pytest.raises(BadInput, match=named) as refused, open_package(source):
        pass
    assert "SECRET" not in str(refused.value)


def test_a_wrong_key_is_bad_input_and_is_not_shown(azurite, storage):
    wrong = azurite.replace("AccountKey=", "AccountKey=AAAA")
    with (
        pytest.raises(BadInput, match="refused") as refused,
        open_package("wasb://pack-a/app.zip", storage_conn_id=storage(wrong)),
    ):
        pass
    assert "AAAA" not in str(refused.value)


def test_storage_that_is_away_is_unknown(storage, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _s: None)
    gone = (
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=AAAA;"
        "BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;"
    )
    with pytest.raises(Unknown), open_package("wasb://pack-a/app.zip", storage_conn_id=storage(gone)):
        pass
