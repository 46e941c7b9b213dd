"""Where keys come from, what is asked of them, and that no secret shows itself anywhere."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors, settings
from kfut_analytics.rest.signing import Nonces, Signer
from kfut_analytics.settings import Credentials, KeyInfo, Secret
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET
from tests.replay import Answer, ReplayServer

Replay = Callable[..., tuple[kfut.Client, ReplayServer]]
CHECK = "/api/auth/v1/api-keys/v3/check"


@pytest.fixture(autouse=True)
def quiet_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No .env file of the developer, and a keyring without keys."""
    import keyring
    from keyring.backends.null import Keyring

    monkeypatch.chdir(tmp_path)
    keyring.set_keyring(Keyring())


def dotenv(folder: Path, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(f"KRAKEN_FUTURES_API_KEY=from-dotenv\nKRAKEN_FUTURES_API_SECRET='{SAMPLE_SECRET}'\n")
    path.chmod(mode)
    return path


def test_the_order_of_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert settings.credentials() is None

    stored = {"api_key": "from-keyring", "api_secret": SAMPLE_SECRET}
    monkeypatch.setattr("keyring.get_password", lambda service, name: stored[name])
    places = ["from-keyring"]

    def found() -> str:
        credentials = settings.credentials()
        assert credentials is not None
        assert credentials.api_secret.reveal() == SAMPLE_SECRET
        return credentials.api_key

    assert found() == places[-1]
    dotenv(tmp_path)
    assert found() == "from-dotenv"
    monkeypatch.setenv("KRAKEN_API_KEY", "from-spot-names")
    monkeypatch.setenv("KRAKEN_API_SECRET", SAMPLE_SECRET)
    assert found() == "from-spot-names"
    monkeypatch.setenv("KRAKEN_FUTURES_API_KEY", "from-environment")
    monkeypatch.setenv("KRAKEN_FUTURES_API_SECRET", SAMPLE_SECRET)
    assert found() == "from-environment"
    given = settings.credentials("given", Secret(SAMPLE_SECRET))
    assert given is not None
    assert given.api_key == "given"


def test_a_prompt_only_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda text: "typed")
    monkeypatch.setattr("getpass.getpass", lambda text: SAMPLE_SECRET)
    assert settings.credentials() is None
    typed = settings.credentials(prompt=True)
    assert typed is not None
    assert typed.api_key == "typed"


@pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX systems")
def test_a_dotenv_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    dotenv(tmp_path, 0o644)
    with pytest.warns(errors.CredentialsWarning, match="chmod 600"):
        settings.credentials()


def test_a_dotenv_that_git_would_commit_is_warned_of(tmp_path: Path) -> None:
    work = tmp_path / "work" / "deep"
    work.mkdir(parents=True)
    (tmp_path / "work" / ".git").mkdir()
    path = dotenv(work)
    with pytest.warns(errors.CredentialsWarning, match="git would commit it"):
        settings.credentials(dotenv=path)
    (tmp_path / "work" / ".gitignore").write_text(".env*\n")
    assert settings.credentials(dotenv=path) is not None


def test_a_named_dotenv_must_exist() -> None:
    with pytest.raises(errors.CredentialsError, match=r"nowhere.*is not a file"):
        settings.credentials(dotenv="nowhere")


def permissions(general: str, transfer: str = "NO_ACCESS") -> dict[str, Answer]:
    body = {"apiKey": "k", "accountUid": "u", "permissions": {"general": general, "transfer": transfer}}
    return {CHECK: Answer(json.dumps(body).encode())}


def test_the_permissions_are_told(replay: Replay) -> None:
    client, _ = replay(permissions("READ_ONLY"))
    assert client.key == KeyInfo("READ_ONLY", "NO_ACCESS")
    assert "key: general READ_ONLY, withdrawal NO_ACCESS" in repr(client)


def test_a_read_only_key_does_not_trade(replay: Replay) -> None:
    with pytest.raises(errors.CredentialsError, match="general permission is READ_ONLY"):
        replay(permissions("READ_ONLY"), trading=True)
    with pytest.raises(errors.CredentialsError, match="may read"):
        replay(permissions("NO_ACCESS"))
    client, _ = replay(permissions("FULL_ACCESS"), trading=True)
    assert client.trading


def test_a_key_that_may_withdraw_is_warned_of(replay: Replay) -> None:
    with pytest.warns(errors.CredentialsWarning, match="may withdraw"):
        replay(permissions("FULL_ACCESS", "FULL_ACCESS"))


def test_a_refused_key_does_not_open_a_client(replay: Replay) -> None:
    body = b'{"error":"Unauthorized","message":"unknown key","suberror":null}'
    with pytest.raises(errors.AuthenticationError, match="futures site"):
        replay({CHECK: Answer(body, 401)})


def test_an_exchange_that_cannot_tell_opens_all_the_same(replay: Replay) -> None:
    client, _ = replay({CHECK: Answer(b"<html>", 503, "text/html")})
    assert client.key == KeyInfo("not checked", "not checked")


def test_nonces_increase_strictly_across_threads() -> None:
    nonces, found = Nonces(), []

    def ask() -> None:
        for _ in range(500):
            found.append(int(nonces.next()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 4000
    alone = [int(nonces.next()) for _ in range(100)]
    assert alone == sorted(set(alone))
    assert alone[0] > max(found)


def test_a_nonce_is_sent_and_signed_only_if_asked_for(replay: Replay) -> None:
    body = Answer(b'{"result":"success","openOrders":[]}')
    path = "/derivatives/api/v3/openorders"
    client, server = replay({path: body}, nonce=True)
    client.open_orders()
    client.open_orders()
    first, second = (seen.headers for seen in server.seen)
    assert int(first["Nonce"]) < int(second["Nonce"])
    signer = Signer(Credentials(SAMPLE_KEY, Secret(SAMPLE_SECRET)))
    assert first["Authent"] == signer.sign(path, "", first["Nonce"])


def secrets_in(text: str) -> list[str]:
    return [word for word in (SAMPLE_SECRET, SAMPLE_KEY) if word in text]


def test_no_repr_pickle_or_copy_holds_a_secret(replay: Replay) -> None:
    client, _ = replay({})
    things = [client, client._venue, client._venue._session, client._venue._session._signer]  # type: ignore[attr-defined]
    for thing in [*things, Secret(SAMPLE_SECRET), Credentials(SAMPLE_KEY, Secret(SAMPLE_SECRET))]:
        assert not secrets_in(repr(thing) + str(thing))
    for thing in things:
        with pytest.raises(TypeError):
            pickle.dumps(thing)
        with pytest.raises(TypeError):
            copy.deepcopy(thing)


def test_no_log_and_no_exception_holds_a_secret(replay: Replay, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = replay({}, trading=True)
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(errors.NotFoundError) as caught:
            client.accounts()
        with pytest.raises(errors.ConfigurationError):
            client.cancel_all()
    assert caplog.text
    assert not secrets_in(caplog.text)
    assert not secrets_in(str(caught.value) + repr(caught.value))


VERBOSE = """
import sys
from IPython.core.ultratb import VerboseTB
import kfut_analytics as kfut
from kfut_analytics.rest import signing
from tests.conftest import SAMPLE_KEY
# Fragments, so that the program's own lines do not hold what is looked for.
def secret(tail=""):
    from tests import conftest
    return conftest.SAMPLE_SECRET + tail
def shown(act):
    try:
        act()
    except kfut.errors.KfutError:
        kind, value, trace = sys.exc_info()
        while trace and "kfut_analytics" not in trace.tb_frame.f_code.co_filename:
            trace = trace.tb_next
        print(VerboseTB(color_scheme="NoColor").text(kind, value, trace))
    else:
        raise SystemExit("no error was provoked")
url = "http://127.0.0.1:9"
shown(lambda: kfut.connect("live", base_url=url, api_key=SAMPLE_KEY, api_secret=secret("!")))
shown(lambda: kfut.connect("live", base_url=url, api_secret=secret()))
shown(lambda: kfut.connect("live", base_url="http://example.com", api_key=SAMPLE_KEY, api_secret=secret()))
shown(lambda: kfut.connect("liv", api_key=SAMPLE_KEY, api_secret=secret()))
from kfut_analytics.rest import retry
retry.MAX_ATTEMPTS = 1
client = kfut.connect("live", base_url=url, api_key=SAMPLE_KEY, api_secret=secret(), trading=True)
shown(client.accounts)
shown(client.cancel_all)
"""


def test_no_verbose_ipython_traceback_holds_a_secret() -> None:
    """IPython's verbose mode prints the locals of every frame; each kind of failure is provoked."""
    root = Path(__file__).resolve().parents[1]
    environ = os.environ | {"PYTHONPATH": str(root), "KRAKEN_API_SECRET": "", "KRAKEN_API_KEY": ""}
    run = subprocess.run([sys.executable, "-c", VERBOSE], capture_output=True, text=True, env=environ, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("Error") >= 6
    assert "base_url" in run.stdout  # locals really are shown
    assert SAMPLE_SECRET not in run.stdout
    assert "Authent" not in run.stdout
