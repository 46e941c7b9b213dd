"""The panels in JupyterLab, in a real browser: clicks, typing, a tab nobody looks at, a kernel that is gone."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary

from kfut_analytics.paper.server import PaperServer
from tests.browser.lab import LOCAL, REPOSITORY, Lab, new_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = pytest.mark.browser

OFTEN = 0.5


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


@pytest.fixture(autouse=True)
def calm(exchange: PaperServer, lab: Lab) -> Iterator[None]:
    yield
    end_kernels(lab)
    exchange.faults.clear()
    exchange.exchange.cancel_all(exchange.exchange.accounts["empty"])


def end_kernels(lab: Lab) -> None:
    for session in json.loads(LOCAL.open(lab.url("api/sessions")).read()):
        LOCAL.open(urllib.request.Request(lab.url(f"api/sessions/{session['id']}"), method="DELETE"))


def source(exchange: PaperServer, *lines: str) -> str:
    """A cell with a client, whose feed looks at everything twice a second: so there is less to wait for."""
    return "\n".join(
        [
            "import kfut_analytics as kfut",
            "from kfut_analytics.widgets.sources import EVERY",
            f"EVERY.update(dict.fromkeys(EVERY, {OFTEN}))",
            f'client = kfut.connect("paper", base_url="{exchange.base_url}", trading=True)',
            *lines,
        ]
    )


def open_notebook(page: Page, lab: Lab, name: str) -> None:
    page.goto(lab.url(f"lab/tree/{name}") + "&reset")
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.get_by_text("(ipykernel) | Idle").wait_for()


def run_all(page: Page) -> Locator:
    """Run all cells; the widget of the first one."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("[data-command='runmenu:run-all']").click()
    root = page.locator(".kfut-root").first
    root.get_by_text("as of").first.wait_for()
    return root


def orders_of(exchange: PaperServer) -> dict[str, tuple[float, float]]:
    orders = exchange.exchange.accounts["empty"].orders.values()
    return {order.order_id: (order.size, order.limit_price) for order in orders}


def eventually(condition: Callable[[], object], page: Page, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        page.wait_for_timeout(50)


def test_orders_are_amended_and_cancelled_by_hand(exchange: PaperServer, lab: Lab, page: Page) -> None:
    lab.write_notebook(
        "blotter.ipynb",
        source(
            exchange,
            'for price in (70_000, 71_000, 72_000):\n    client.place(kfut.Order("PF_XBTUSD", "buy", "0.02", price))',
            "kfut.Blotter(client)",
        ),
    )
    open_notebook(page, lab, "blotter.ipynb")
    root = run_all(page)
    orders = root.get_by_role("table", name="Open orders")
    row = orders.get_by_role("row").filter(has_text="71,000")
    row.wait_for()

    # What is typed stays, and the focus with it, while the rows around are updated.
    row.get_by_role("button", name="Amend buy 0.02 PF_XBTUSD at 71,000").click()
    form = orders.get_by_role("form", name="Amend buy 0.02 PF_XBTUSD at 71,000")
    price = form.get_by_label("Limit price")
    price.fill("71000.3")
    before = root.locator(".kfut-as-of").first.inner_text()
    other = next(key for key, (_, at) in orders_of(exchange).items() if at == 70_000)
    eventually(lambda: root.locator(".kfut-as-of").first.inner_text() != before, page)
    assert price.input_value() == "71000.3"
    assert price.evaluate("input => input === document.activeElement")

    # A price off the tick is refused at the row, and the form stays to be mended; Enter is enough to send.
    page.keyboard.press("Enter")
    orders.get_by_text("is not a multiple of").wait_for()
    assert price.input_value() == "71000.3"
    price.fill("71500")
    page.keyboard.press("Enter")
    eventually(lambda: (0.02, 71_500) in orders_of(exchange).values(), page)
    orders.get_by_role("row").filter(has_text="71,500").wait_for()
    assert form.count() == 0

    # A double click cancels once: both clicks leave the page before the kernel can answer the first.
    exchange.faults.plan("POST cancelorder", "delay", seconds=0.3, times=None)
    cancel = orders.get_by_role("button", name="Cancel buy 0.02 PF_XBTUSD at 70,000")
    cancel.evaluate("button => { button.click(); button.click(); }")
    eventually(lambda: other not in orders_of(exchange), page)
    root.get_by_text("Click refused").wait_for()
    orders.get_by_role("row").filter(has_text="70,000").wait_for(state="detached")
    assert len(exchange.faults.log) == 1
    assert len(orders_of(exchange)) == 2

    # By keyboard alone: Enter on a button is a click, and the question begins with No.
    root.get_by_role("button", name="Cancel all").focus()
    page.keyboard.press("Enter")
    root.get_by_text("Cancel all 2 open orders?").wait_for()
    eventually(lambda: page.evaluate("document.activeElement.textContent") == "No", page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    eventually(lambda: not orders_of(exchange), page)
    root.get_by_text("No open orders.").wait_for()


def test_a_lost_connection_is_shown_and_recovered(exchange: PaperServer, lab: Lab, page: Page) -> None:
    lab.write_notebook("lost.ipynb", source(exchange, "kfut.Monitor(client)"))
    open_notebook(page, lab, "lost.ipynb")
    root = run_all(page)
    root.get_by_text("No alerts now.").wait_for()
    exchange.faults.plan("*", "http-200-html", times=None)
    root.get_by_role("alert").filter(has_text="Connection trouble, since").wait_for()
    root.get_by_text("What is shown is of").first.wait_for()
    exchange.faults.clear()
    root.get_by_text("No alerts now.").wait_for()
    assert root.get_by_text("What is shown is of").count() == 0


def test_a_tab_nobody_looks_at_asks_for_nothing(exchange: PaperServer, lab: Lab, page: Page) -> None:
    lab.write_notebook("hidden.ipynb", source(exchange, "kfut.Blotter(client)"))
    open_notebook(page, lab, "hidden.ipynb")
    root = run_all(page)
    exchange.faults.plan("*", "delay", seconds=0.001, times=None)  # counts the requests

    def asks_on() -> None:
        before = len(exchange.faults.log)
        eventually(lambda: len(exchange.faults.log) > before, page)

    asks_on()
    page.keyboard.press("Control+Shift+l")  # another tab comes to the front
    root.wait_for(state="hidden")
    page.wait_for_timeout(1000 * 2 * OFTEN)  # what was under way
    before = len(exchange.faults.log)
    page.wait_for_timeout(1000 * 5 * OFTEN)
    assert len(exchange.faults.log) == before
    page.locator(".lm-TabBar-tab").filter(has_text="hidden.ipynb").click()
    root.wait_for()
    asks_on()


def test_after_a_restart_the_page_says_that_it_is_not_connected(exchange: PaperServer, lab: Lab, page: Page) -> None:
    lab.write_notebook("restart.ipynb", source(exchange, "kfut.PositionsPanel(client)"))
    open_notebook(page, lab, "restart.ipynb")
    root = run_all(page)
    root.get_by_text("No open positions.").wait_for()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.locator("[data-command='kernelmenu:restart']").click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    root.get_by_text("Not connected: the kernel does not answer.").wait_for()
    assert not root.get_by_text("No open positions.").is_visible()
    page.get_by_text("(ipykernel) | Idle").wait_for()
    run_all(page).get_by_text("No open positions.").wait_for()


def test_a_saved_notebook_says_that_it_is_not_connected(
    exchange: PaperServer, lab: Lab, page: Page, tmp_path: Path
) -> None:
    cell = source(exchange, 'client.place(kfut.Order("PF_XBTUSD", "buy", "0.02", 70_000))', "kfut.Blotter(client)")
    lab.write_notebook("saved.ipynb", cell)
    saved, with_state = lab.folder / "saved.ipynb", lab.folder / "with_state.ipynb"
    with ThreadPoolExecutor() as beside:
        executed = beside.submit(execute, nbformat.read(saved, as_version=4), exchange, lab)

        # As JupyterLab saves it, without the widgets' state.
        open_notebook(page, lab, "saved.ipynb")
        run_all(page).get_by_text("70,000").first.wait_for()
        page.keyboard.press("Control+s")
        eventually(lambda: "widget-view" in saved.read_text(encoding="utf-8"), page)
        assert "70,000" not in saved.read_text(encoding="utf-8")

        # As nbclient saves it, with the state.
        nbformat.write(executed.result(), with_state)
        assert "Open orders" in with_state.read_text(encoding="utf-8"), "the state is in it"
    end_kernels(lab)
    output = page.locator(".jp-OutputArea").first
    page.goto(lab.url("lab/tree/saved.ipynb") + "&reset")
    output.get_by_text("Blotter: not connected").wait_for()
    assert "70,000" not in output.inner_text()
    page.goto(lab.url("lab/tree/with_state.ipynb") + "&reset")
    output.get_by_text("Not connected. What this blotter showed is past").wait_for()
    assert not output.get_by_role("heading", name="Open orders").is_visible()

    # As a page of its own, which has neither a kernel nor, here, a way to load widgets.
    as_page, _ = HTMLExporter().from_filename(str(saved))
    (tmp_path / "saved.html").write_text(as_page, encoding="utf-8")
    page.goto((tmp_path / "saved.html").as_uri())
    page.get_by_text("Blotter: not connected").wait_for()
    assert page.locator(".jp-OutputArea").get_by_text("0.02").count() == 0


def execute(notebook: Any, exchange: PaperServer, lab: Lab) -> Any:
    """Execute a notebook as nbclient does, which stores what widgets show, and let JupyterLab trust the result."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "KFUT_HOME": str(lab.folder / "home")}
    environ |= {"KRAKEN_FUTURES_API_KEY": exchange.api_key, "KRAKEN_FUTURES_API_SECRET": exchange.api_secret}
    asyncio.run(NotebookClient(notebook, timeout=60).async_execute(env=environ))
    notary = NotebookNotary(data_dir=str(lab.folder / ".own" / "data"))
    notary.sign(notebook)
    notary.store.close()
    return notebook
