"""Signatures equal the exchange's published algorithm, and keys stay hidden."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfut_analytics.errors import CredentialsError
from kfut_analytics.rest.signing import Signer, encode
from kfut_analytics.settings import Credentials, Secret
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET, shared_folder


def signer(secret: str = SAMPLE_SECRET) -> Signer:
    return Signer(Credentials(SAMPLE_KEY, Secret(secret)))


def vectors() -> list[dict[str, str]]:
    folder = shared_folder()
    return json.loads((folder / "signing-vectors.json").read_text())["vectors"] if folder else []


@pytest.mark.parametrize("vector", vectors() or [None], ids=lambda v: v["name"] if v else "absent")
def test_every_vector(vector: dict[str, str] | None) -> None:
    folder = shared_folder()
    if vector is None or folder is None:
        pytest.skip("signing vectors are not on this machine (KFUT_SHARED or ../shared)")
    ours = signer(json.loads((folder / "signing-vectors.json").read_text())["api_secret"])
    assert ours.sign(vector["path"], vector["postData"]) == vector["authent_no_nonce"]
    if vector["nonce"]:
        assert ours.sign(vector["path"], vector["postData"], vector["nonce"]) == vector["authent_nonce"]


def test_vectors_of_other_clients(recordings: Path) -> None:
    published = json.loads((recordings / "signing" / "vectors__dev.json").read_text())
    assert published
    for vector in published:
        ours = signer(vector["secret_b64"])
        assert ours.sign(vector["endpoint"], vector["post_data"], vector["nonce"]) == vector["authent"]


def test_only_a_leading_derivatives_is_removed_from_the_signed_path() -> None:
    ours = signer()
    assert ours.sign("/derivatives/api/v3/accounts", "") == ours.sign("/api/v3/accounts", "")
    assert ours.sign("/api/history/v3/account-log", "") != ours.sign("/api/v3/account-log", "")


def test_encoding_uses_percent_twenty_lower_case_booleans_and_repeated_keys() -> None:
    params = {"info": "futures trade", "reduceOnly": True, "limitPrice": None, "orderIds": ["a", "b"], "t": "a=b+c"}
    assert encode(params) == "info=futures%20trade&reduceOnly=true&orderIds=a&orderIds=b&t=a%3Db%2Bc"


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_encoding_loses_nothing(params: dict[str, str]) -> None:
    from urllib.parse import parse_qsl

    assert dict(parse_qsl(encode(params), keep_blank_values=True)) == params


@pytest.mark.parametrize("secret", ["not base64!", "", "abc"])
def test_a_bad_secret_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        signer(secret)
    assert not secret or secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_shows_or_copies_the_secret() -> None:
    credentials = Credentials(SAMPLE_KEY, Secret(SAMPLE_SECRET))
    ours = Signer(credentials)
    for thing in (credentials, ours):
        assert SAMPLE_SECRET not in repr(thing) + str(thing)
        assert SAMPLE_KEY not in repr(thing)
        for leak in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                leak(thing)
