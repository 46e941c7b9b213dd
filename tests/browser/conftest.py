"""One exchange, one JupyterLab and one browser for all tests in it: each takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from kfut_analytics.paper.server import PaperServer
from tests.browser.lab import Lab, chromium, open_browser, running_lab
from tests.exchanges import open_exchange

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


@pytest.fixture(scope="package")
def exchange() -> Iterator[PaperServer]:
    chromium()
    server = open_exchange()
    yield server
    server.close()


@pytest.fixture(scope="package")
def lab(exchange: PaperServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    keys = {"KRAKEN_FUTURES_API_KEY": exchange.api_key, "KRAKEN_FUTURES_API_SECRET": exchange.api_secret}
    folder = tmp_path_factory.mktemp("lab")
    with running_lab(folder, keys | {"KFUT_HOME": str(folder / "home")}) as lab:
        yield lab


@pytest.fixture(scope="package")
def browser(lab: Lab) -> Iterator[BrowserContext]:
    with open_browser() as browser:
        yield browser
