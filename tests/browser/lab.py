"""A JupyterLab of the test's own, and a page in Debian's chromium that shows one of its notebooks."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

REPOSITORY = Path(__file__).resolve().parents[2]
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Lab:
    """A running JupyterLab; ``folder`` is its root."""

    def __init__(self, folder: Path, port: int, token: str) -> None:
        self.folder = folder
        self._base = f"http://127.0.0.1:{port}"
        self._token = token

    def url(self, path: str) -> str:
        return f"{self._base}/{path}?token={self._token}"

    def answers(self) -> bool:
        try:
            with LOCAL.open(self.url("api/status"), timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def write_notebook(self, name: str, *cells: str) -> None:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.folder / name)


@contextmanager
def running_lab(folder: Path, environ: Mapping[str, str], *, theme: str = "JupyterLab Light") -> Iterator[Lab]:
    """Start JupyterLab in a folder, with settings of its own and nothing that looks outside this machine."""
    own = {name: folder / ".own" / name.lower() for name in ("HOME", "IPYTHONDIR")}
    own |= {f"JUPYTER_{n}_DIR": folder / ".own" / n.lower() for n in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{n}_DIR": folder / ".own" / n.lower() for n in ("SETTINGS", "WORKSPACES")}
    for path in own.values():
        path.mkdir(parents=True, exist_ok=True)
    settings = own["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme, "adaptive-theme": False}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(folder, port, secrets.token_hex(16))
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": lab._token,
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    with (folder / ".own" / "lab.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())],
            env={**os.environ, **{k: str(v) for k, v in own.items()}, "PYTHONPATH": str(REPOSITORY), **environ},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 40
            while not lab.answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("JupyterLab did not start:\n" + (folder / ".own" / "lab.log").read_text()[-2000:])
                time.sleep(0.1)
            yield lab
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def chromium() -> str:
    """The browser's path; where there is none the test is skipped, in continuous integration it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("chromium is not installed: the tests in a browser need it")
    return path


@contextmanager
def open_browser() -> Iterator[BrowserContext]:
    """A headless chromium whose pages share what they have loaded; there is one at a time."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        try:
            yield browser.new_context()
        finally:
            browser.close()


@contextmanager
def new_page(browser: BrowserContext, *, width: int = 1200, height: int = 900) -> Iterator[Page]:
    """A page of a browser that is open."""
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.set_default_timeout(20_000)
    try:
        yield page
    finally:
        page.close()


def run_notebook(page: Page, lab: Lab, name: str) -> None:
    """Open a notebook and run all its cells, through the menu."""
    # In a workspace of its own: the usual one would open the notebooks of other pages beside it.
    page.goto(lab.url(f"lab/workspaces/{Path(name).stem}/tree/{name}"))
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    # The status bar names the kernel once it is there; cells run earlier would be asked which kernel to use.
    page.get_by_text("(ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("[data-command='runmenu:run-all']").click()
