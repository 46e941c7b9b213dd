"""Signatures against the published sample secret (figures computed from the published rule)."""

import pytest

from kfut_analytics.paper.wire.auth import ApiKey, AuthenticationError

SECRET = "7zxMEF5p/Z8l2p2U7Ghv6x14Af+Fx+92tPgUdVQ748FOIrEoT9bgT+bTRfXc5pz8na+hL/QdrCVG7bh9KpT0eMTm"  # kfut scan: public
VECTORS = [
    (
        "/derivatives/api/v3/accounts",
        b"",
        "",
        "gF9iu/gh5ia5pNW4Ljh2bVCMh+kDiJcge73pOkpBG+c5eJUmWgHY0zMkMXkvOHb9RnCWKKfzg6lCzyYYI95+Jg==",  # kfut scan: public
    ),
    (
        "/derivatives/api/v3/accounts",
        b"",
        "1700000000000000",
        "+wOb9kapIbpW0cwp6PI9JAGfWvREGmAOY3Jv3nN1yCVC/JXiPzMGDPevA8pxSA/+cyq1ExQeWf6IbtZMiy2e8g==",  # kfut scan: public
    ),
    (
        "/api/history/v3/account-log",
        b"count=500&sort=asc&info=futures%20trade",
        "",
        "rxF9CYSWnjRUqj7KWBYWIxrqeHFks5zkbwUWjBtDKXh++24h4JJRUeCBnwW0WZIVRPvtAlKG3mbeSMp3UZw7Pg==",  # kfut scan: public
    ),
]


@pytest.fixture
def key():
    return ApiKey("a", secret=SECRET)


@pytest.mark.parametrize(("path", "data", "nonce", "authent"), VECTORS)
def test_accepts_the_published_vectors(key, path, data, nonce, authent):
    key.check(authent=authent, nonce=nonce, post_data=data, path=path)
    with pytest.raises(AuthenticationError, match="authenticationError"):
        key.check(authent=authent, nonce=nonce, post_data=data + b"x", path=path)


def test_the_secret_is_not_shown(key):
    assert SECRET not in repr(key)


@pytest.mark.parametrize("authent", ["", "x", "ä", "=" * 88])
def test_garbage_is_refused(key, authent):
    with pytest.raises(AuthenticationError):
        key.check(authent=authent, nonce="", post_data=b"", path="/")
