"""The ticket in JupyterLab and Notebook 7, used as a person uses it, in a real browser.

What the exchange received is read from its engine, what the person sees from the page.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from kfut_analytics.paper.server import PaperServer
from kfut_analytics.widgets.ticket.send import LATE
from tests.browser.lab import Lab, new_page, run_notebook

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = pytest.mark.browser

CONNECT = """import os
import kfut_analytics as kfut

open("kernel.pid", "w").write(str(os.getpid()))
client = kfut.connect({env!r}, base_url={url!r}, trading=True)
kfut.OrderTicket(client, lifetime={lifetime}, panels={panels})"""


def cell(exchange: PaperServer, *, env: str = "paper", lifetime: float = 60, panels: bool = True) -> str:
    return CONNECT.format(env=env, url=exchange.base_url, lifetime=lifetime, panels=panels)


@pytest.fixture(scope="module")
def page(lab: Lab, browser: BrowserContext, exchange: PaperServer) -> Iterator[Page]:
    """One page with a ticket, for all tests that leave it as they found it."""
    lab.write_notebook("ticket.ipynb", cell(exchange))
    with new_page(browser, width=1300, height=1500) as page:
        run_notebook(page, lab, "ticket.ipynb")
        page.locator(".kfut-ticket .kfut-level").first.wait_for()
        yield page


@pytest.fixture(scope="module")
def kernel(page: Page, lab: Lab) -> int:
    """Process id of that page's kernel; the kernels of other notebooks write theirs later."""
    return int((lab.folder / "kernel.pid").read_text())


@pytest.fixture
def ticket(page: Page, exchange: PaperServer) -> Iterator[Locator]:
    exchange.faults.clear()
    account = exchange.exchange.accounts["empty"]
    exchange.exchange.cancel_all(account)
    yield page.locator(".kfut-ticket")
    exchange.faults.clear()


def orders(exchange: PaperServer) -> list[Any]:
    return list(exchange.exchange.accounts["empty"].orders.values())


def fills(exchange: PaperServer) -> list[Any]:
    return list(exchange.exchange.accounts["empty"].fills)


def mark(exchange: PaperServer) -> int:
    engine = exchange.exchange
    return int(engine.market.mark(engine.contract("PF_XBTUSD"), engine.now))


def number(ticket: Locator, label: str) -> Locator:
    return ticket.locator(".kfut-number", has_text=re.compile(f"^{label}")).locator("input")


def choose(ticket: Locator, kind: str) -> None:
    ticket.locator(".widget-dropdown", has_text=re.compile("^Type")).locator("select").select_option(label=kind)


def review(ticket: Locator) -> Locator:
    """Review the order; the Send button that came of it.

    A moment after the fields, as a person does: JupyterLab may let the first message of one widget wait for a subshell
    while that of another passes it. What was reviewed then would not be what the fields say, and could not be sent.
    """
    ticket.page.wait_for_timeout(300)
    ticket.get_by_role("button", name="Review", exact=True).click()
    ready = ticket.get_by_role("button", name=re.compile("^Send.*: "))
    until(ready.is_visible, told=ticket.inner_text)
    return ready


def until(happened: Callable[[], bool], seconds: float = 15.0, told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen; {told()}"
        time.sleep(0.05)


def state_order(ticket: Locator, exchange: PaperServer, kind: str, side: str = "Buy", size: str = "0.01") -> None:
    """Fill in an order of a type: one that rests where the type can rest."""
    price, sign = mark(exchange), 1 if side == "Buy" else -1
    ticket.get_by_role("button", name=side, exact=True).click()
    choose(ticket, kind)
    number(ticket, "Size").fill(size)
    far, beyond = round(price * (1 - 0.05 * sign)), round(price * (1 + 0.05 * sign))
    if kind == "limit":
        number(ticket, "Limit price").fill(str(far))
    elif "limit" in kind:
        number(ticket, "Limit price").fill(str(round(price * (1 + 0.005 * sign))))
    elif kind == "stop":
        number(ticket, "Limit price").fill("")
        number(ticket, "Stop price").fill(str(beyond))
    elif kind == "take-profit":
        number(ticket, "Limit price").fill("")
        number(ticket, "Stop price").fill(str(far))
    elif kind == "trailing stop":
        number(ticket, "Trails by").fill("5")


@pytest.mark.parametrize(
    ("kind", "wire"),
    [("limit", "lmt"), ("stop", "stp"), ("take-profit", "take_profit"), ("trailing stop", "trailing_stop")],
)
def test_an_order_that_rests_is_placed_amended_and_cancelled(
    kind: str, wire: str, ticket: Locator, exchange: PaperServer
) -> None:
    state_order(ticket, exchange, kind)
    review(ticket).click()
    until(lambda: len(orders(exchange)) == 1)
    [order] = orders(exchange)
    assert (order.order_type, order.side, order.size) == (wire, "buy", 0.01)
    ticket.get_by_text(order.order_id).first.wait_for()
    ticket.get_by_text(re.compile("^(✓ )?Placed: Buy 0.01 PF_XBTUSD")).wait_for()

    amends = ticket.page.get_by_role("button", name=re.compile("^Amend"))
    row = ticket.locator(".kfut-row", has_text="PF_XBTUSD").filter(has=amends)
    row.get_by_role("button", name=re.compile("^Amend")).click()
    form = ticket.locator(".kfut-edit")
    form.get_by_label(re.compile("^Size")).fill("0.02")
    form.get_by_role("button", name=re.compile("^(Save|Send|Amend|Change)")).click()
    until(lambda: [each.size for each in orders(exchange)] == [0.02])

    row.get_by_role("button", name=re.compile("^Cancel")).click()
    until(lambda: orders(exchange) == [])


@pytest.mark.parametrize("kind", ["market", "immediate-or-cancel limit", "fill-or-kill limit"])
def test_an_order_that_never_rests_is_filled(kind: str, ticket: Locator, exchange: PaperServer) -> None:
    had = len(fills(exchange))
    state_order(ticket, exchange, kind)
    review(ticket).click()
    until(lambda: len(fills(exchange)) > had)
    assert sum(fill.size for fill in fills(exchange)[had:]) == pytest.approx(0.01)
    ticket.get_by_text(fills(exchange)[-1].order_id).first.wait_for()
    ticket.get_by_text(re.compile("^(✓ )?Filled: Buy 0.01 PF_XBTUSD")).wait_for()
    assert ticket.get_by_text("Average price").is_visible()


def test_a_post_only_order_and_a_problem_beside_its_field(ticket: Locator, exchange: PaperServer) -> None:
    state_order(ticket, exchange, "limit", size="0.00001")
    ticket.get_by_text("is not a multiple of the size step").first.wait_for()
    ticket.get_by_role("button", name="Use 0.0001").click()
    until(lambda: number(ticket, "Size").input_value() == "0.0001")
    ticket.get_by_label("Post-only").check()
    review(ticket).click()
    until(lambda: [(order.order_type, order.size) for order in orders(exchange)] == [("post", 0.0001)])
    ticket.get_by_label("Post-only").uncheck()


def test_a_double_click_sends_once(ticket: Locator, exchange: PaperServer) -> None:
    state_order(ticket, exchange, "limit", size="0.03")
    ready = review(ticket)
    # Both clicks leave the page before the kernel can answer the first.
    ready.evaluate("button => { button.click(); button.click(); }")
    ticket.get_by_text("Click refused").wait_for()
    ticket.get_by_text(re.compile("^(✓ )?Placed: Buy 0.03")).wait_for()
    assert [order.size for order in orders(exchange)] == [0.03]


def test_a_change_after_the_review_takes_the_permission_away(ticket: Locator, exchange: PaperServer) -> None:
    state_order(ticket, exchange, "limit")
    review(ticket)
    number(ticket, "Size").fill("0.04")
    ticket.get_by_text("The order has changed since it was reviewed").wait_for()
    assert ticket.get_by_role("button", name="Send", exact=True).is_disabled()
    assert orders(exchange) == []


def test_a_price_is_clicked_and_stepped_into_the_order(ticket: Locator, exchange: PaperServer) -> None:
    state_order(ticket, exchange, "limit")
    level = ticket.locator(".kfut-level[data-side=bid]").nth(2)
    price = number(ticket, "Limit price")
    # At once, for the ladder moves on every second.
    name = level.evaluate("button => { const name = button.getAttribute('aria-label'); button.click(); return name; }")
    clicked = re.sub(r"^bid ([\d,]+), size.*", r"\1", name).replace(",", "")
    until(lambda: price.input_value() == clicked)
    before = int(price.input_value())
    price.press("ArrowUp")
    until(lambda: price.input_value() == str(before + 1))


def test_a_lost_connection_is_shown_and_recovered(ticket: Locator, exchange: PaperServer) -> None:
    exchange.faults.plan("*", "drop-before", times=None)
    ticket.locator(".kfut-trouble", has_text="no newer quote").wait_for()
    ticket.locator(".kfut-age", has_text="OLD").wait_for()
    exchange.faults.clear()
    until(lambda: ticket.locator(".kfut-trouble").inner_text() == "", 40)
    until(lambda: "OLD" not in ticket.locator(".kfut-age").inner_text())


def test_a_click_that_waited_behind_a_busy_kernel_is_refused(
    ticket: Locator, kernel: int, exchange: PaperServer
) -> None:
    state_order(ticket, exchange, "limit", size="0.07")
    ready = review(ticket)
    os.kill(kernel, signal.SIGSTOP)  # nothing keeps a kernel from reading clicks as surely as this
    ready.click()
    time.sleep(LATE + 0.5)
    os.kill(kernel, signal.SIGCONT)
    # The review itself would be good for a minute; it is the click that is old.
    ticket.get_by_text(re.compile("This click was under way for [3-6] s")).wait_for()
    assert orders(exchange) == []
    review(ticket)
    time.sleep(LATE + 0.5)  # to look at a review is no delay
    ticket.get_by_role("button", name=re.compile("^Send.*: ")).click()
    until(lambda: [order.size for order in orders(exchange)] == [0.07])


def test_a_lost_answer_is_looked_for_and_told(ticket: Locator, exchange: PaperServer) -> None:
    exchange.faults.plan("POST sendorder", "drop-after")
    state_order(ticket, exchange, "limit", size="0.05")
    review(ticket).click()
    ticket.get_by_text("the order is among the open orders").first.wait_for()
    assert [order.size for order in orders(exchange)] == [0.05]


def test_a_contract_is_found_by_words(ticket: Locator, page: Page) -> None:
    field = ticket.get_by_role("combobox", name="Contract")
    offered = ticket.get_by_role("listbox", name="Contract").get_by_role("option")
    field.click()
    page.keyboard.type("xbt perp")  # what was chosen is marked, so typing replaces it
    until(lambda: [text.split()[0] for text in offered.all_inner_texts()] == ["PF_XBTUSD", "PI_XBTUSD"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    ticket.get_by_text("BTC/USD perpetual, inverse").wait_for()
    assert field.input_value() == "PI_XBTUSD"
    assert offered.count() == 0

    field.fill("dated eth")
    assert all(re.match("F[FI]_ETHUSD_", text) for text in offered.all_inner_texts())
    page.keyboard.press("Escape")
    assert field.input_value() == "PI_XBTUSD"

    # What fits several is no choice: it stays, and is told to be no contract.
    field.fill("eth")
    page.keyboard.press("Tab")
    ticket.get_by_text(re.compile("there is no contract 'ETH'; did you mean")).first.wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    field.fill("pf_xbtusd")
    page.keyboard.press("Tab")
    ticket.get_by_text("BTC/USD perpetual, linear").wait_for()
    assert field.input_value() == "PF_XBTUSD"
    ticket.locator(".kfut-level").first.wait_for()


def test_keyboard_only(ticket: Locator, page: Page, exchange: PaperServer) -> None:
    state_order(ticket, exchange, "limit", size="0.01")
    attach = ticket.get_by_role("checkbox", name="Attach take-profit and stop-loss")
    attach.focus()
    page.keyboard.press("Space")
    number(ticket, "Take-profit").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    until(lambda: number(ticket, "Take-profit").evaluate("input => input === document.activeElement"))
    attach.focus()
    page.keyboard.press("Space")
    number(ticket, "Take-profit").wait_for(state="hidden")
    buy, sell = (ticket.get_by_role("button", name=side, exact=True) for side in ("Buy", "Sell"))
    assert [side.get_attribute("aria-pressed") for side in (buy, sell)] == ["true", "false"]
    number(ticket, "Size").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.06")
    page.keyboard.press("Enter")
    ticket.get_by_role("button", name="Send: buy 0.06").wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Send: buy 0.06"):
            break
    page.keyboard.press("Enter")
    until(lambda: [order.size for order in orders(exchange)] == [0.06])


def test_every_control_has_a_name_and_texts_can_be_read_in_both_themes(ticket: Locator, page: Page) -> None:
    nameless = ticket.evaluate(
        """root => [...root.querySelectorAll("button, input, select")]
            .filter(e => e.offsetParent && !(e.textContent.trim() || e.getAttribute("aria-label") || e.title
                || e.labels?.length))
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.get_by_role("menuitem", name="Settings", exact=True).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Theme$")).hover()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{theme}$")).click()
        page.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
        page.wait_for_timeout(500)
        assert ticket.evaluate(CONTRAST) >= 4.5, theme
    ticket.evaluate(ELSEWHERE)
    contrast = ticket.evaluate(CONTRAST)
    ticket.evaluate("root => { document.getElementById('elsewhere').remove(); root.parentElement.style = '' }")
    assert contrast >= 4.5, "where JupyterLab's colours are not known"


ELSEWHERE = """root => {
  const known = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules].map(rule => rule.cssText));
  const names = new Set(known.join().match(/--jp-[a-z0-9-]+/g));
  const unset = [...names].map(name => `${name}: initial !important`).join(";");
  const style = document.head.appendChild(document.createElement("style"));
  style.id = "elsewhere";
  style.textContent = `.kfut-root, .kfut-root * {${unset}}`;
  root.parentElement.style.cssText += "background: white; color: #ccc";
}"""
"""Takes JupyterLab's colours away; ground and text are as VS Code has them in its dark theme."""

CONTRAST = """root => {
  const light = c => { const v = c.map(x => (x /= 255) <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
                       return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
                        if (c.length < 4 || c[3] > .5) return c.slice(0, 3); } return [255, 255, 255]; };
  let least = 99;
  const texts = ".kfut-summary, .kfut-value, .kfut-number label, .kfut-heading, .kfut-level .kfut-price";
  for (const e of root.querySelectorAll(texts)) {
    if (!e.offsetParent || !e.textContent.trim()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(ground(e))].sort((x, y) => y - x);
    least = Math.min(least, (a + .05) / (b + .05));
  }
  return least;
}"""


# ---- with a notebook of their own ----------------------------------------------------------------------------------


def test_live_sends_only_armed(lab: Lab, browser: BrowserContext, exchange: PaperServer) -> None:
    lab.write_notebook("live.ipynb", cell(exchange, env="live", panels=False))
    exchange.exchange.cancel_all(exchange.exchange.accounts["empty"])
    with new_page(browser) as page:
        run_notebook(page, lab, "live.ipynb")
        ticket = page.locator(".kfut-ticket")
        ticket.get_by_text("LIVE · real money").wait_for()
        ticket.locator(".kfut-level").first.wait_for()
        state_order(ticket, exchange, "limit", size="0.08")
        ready = review(ticket)
        ready.click()
        ticket.get_by_text("The ticket is not armed").wait_for()
        assert orders(exchange) == []
        ticket.get_by_placeholder("type LIVE to arm").fill("LIVE")
        ticket.get_by_role("button", name="Arm", exact=True).click()
        ticket.locator(".kfut-armed", has_text="ARMED for 5 minutes").wait_for()
        until(lambda: not ticket.get_by_text("The ticket is not armed").is_visible(), told=ticket.inner_text)
        ready.click()  # the review counts on: a new one would replace the button just when it is clicked
        until(lambda: [order.size for order in orders(exchange)] == [0.08], told=ticket.inner_text)


def test_a_restarted_kernel_finds_what_its_former_self_left_open(
    lab: Lab, browser: BrowserContext, exchange: PaperServer
) -> None:
    lab.write_notebook("restart.ipynb", cell(exchange, env="live", panels=True))
    exchange.exchange.cancel_all(exchange.exchange.accounts["empty"])
    with new_page(browser, height=1500) as page:
        run_notebook(page, lab, "restart.ipynb")
        ticket = page.locator(".kfut-ticket")
        ticket.locator(".kfut-level").first.wait_for()
        ticket.get_by_placeholder("type LIVE to arm").fill("LIVE")
        ticket.get_by_role("button", name="Arm", exact=True).click()
        state_order(ticket, exchange, "limit", size="0.09")
        ready = review(ticket)
        # The order arrives, its answer is held back, and the kernel is killed while it waits.
        exchange.faults.plan("POST sendorder", "delay-after", seconds=20)
        ready.click()
        until(lambda: [order.size for order in orders(exchange)] == [0.09])
        os.kill(int((lab.folder / "kernel.pid").read_text()), signal.SIGKILL)
        exchange.faults.clear()
        until(lambda: (lab.folder / "kernel.pid").exists())
        page.reload()
        page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        page.get_by_text("(ipykernel) | Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator("[data-command='runmenu:run-all']").click()
        page.get_by_text(re.compile("left by a former session, now known: place .*: placed")).wait_for()
        assert [order.size for order in orders(exchange)] == [0.09]


def test_in_notebook_7(lab: Lab, browser: BrowserContext, exchange: PaperServer) -> None:
    lab.write_notebook("seven.ipynb", cell(exchange))
    exchange.exchange.cancel_all(exchange.exchange.accounts["empty"])
    with new_page(browser, height=1500) as page:
        page.goto(lab.url("notebooks/seven.ipynb"))
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.get_by_text("Python 3 (ipykernel)").first.wait_for()
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator("[data-command='runmenu:run-all']").click()
        ticket = page.locator(".kfut-ticket")
        ticket.locator(".kfut-level").first.wait_for()
        state_order(ticket, exchange, "limit", size="0.02")
        review(ticket).evaluate("button => { button.click(); button.click(); }")
        ticket.get_by_text("Click refused").wait_for()
        until(lambda: [order.size for order in orders(exchange)] == [0.02])
        ticket.get_by_role("button", name=re.compile("^Cancel")).first.wait_for()
