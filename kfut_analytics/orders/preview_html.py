"""A preview as HTML: JupyterLab's own colours, so that light and dark themes both work, with fallbacks elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Rows = Sequence[tuple[str, str]]

_CSS = """<style>
.kfut-preview { max-width: 66em; padding: 10px 14px; line-height: 1.45; font-size: 13px;
  color: var(--jp-ui-font-color1, currentColor); background: var(--jp-layout-color1, transparent);
  border: 1px solid var(--jp-border-color1, #8888); border-radius: 6px; font-variant-numeric: tabular-nums; }
.kfut-preview.kfut-on-live { border: 2px solid #b71c1c; }
.kfut-preview header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; margin-bottom: 8px; }
.kfut-preview .kfut-env { color: var(--jp-ui-font-color2, #777); }
.kfut-preview.kfut-on-live .kfut-env { background: #b71c1c; color: #fff; border-radius: 4px; padding: 0 8px; }
.kfut-preview .kfut-order { font-weight: 600; font-size: 115%; }
.kfut-preview .kfut-groups { display: grid; gap: 10px 36px;
  grid-template-columns: repeat(auto-fit, minmax(23em, 1fr)); }
.kfut-preview h4 { margin: 0 0 2px; font-size: 92%; font-weight: 600; text-align: left;
  color: var(--jp-ui-font-color2, #777); border-bottom: 1px solid var(--jp-border-color2, #8884); }
.kfut-preview table { border-collapse: collapse; width: 100%; margin: 0; font-size: inherit; }
.kfut-preview tr, .kfut-preview tr:hover { background: transparent !important; }
.kfut-preview th { text-align: left; vertical-align: top; font-weight: normal; white-space: nowrap;
  padding: 1px 14px 1px 0; color: var(--jp-ui-font-color2, #777); }
.kfut-preview td { text-align: right; vertical-align: top; padding: 1px 0; white-space: normal; }
.kfut-preview ul { margin: 10px 0 0; padding: 6px 10px 6px 26px; text-align: left;
  border-left: 4px solid var(--jp-warn-color1, #e65100); background: var(--jp-layout-color2, transparent); }
.kfut-preview details { margin-top: 6px; }
.kfut-preview summary { cursor: pointer; color: var(--jp-ui-font-color2, #777); }
.kfut-preview details table { width: auto; }
.kfut-preview details td { padding-left: 18px; }
</style>"""


def page(
    env: str,
    head: str,
    order: str,
    groups: Iterable[tuple[str, Rows]],
    fills: Rows,
    warnings: Sequence[str],
) -> str:
    """A preview.

    Parameters
    ----------
    env, head, order
        Environment, what it is and of when, and the order in words.
    groups
        Headings, each with its labels and figures.
    fills
        Sizes and prices of what fills at once.
    warnings
        Sentences.
    """
    parts = "".join(f"<section><h4>{escape(title)}</h4>{_table(rows)}</section>" for title, rows in groups)
    notes = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return (
        f"{_CSS}<div class='kfut-preview kfut-on-{escape(env, quote=True)}' role='group' aria-label='Order preview'>"
        f"<header><span class='kfut-env'>{escape(head)}</span><span class='kfut-order'>{escape(order)}</span></header>"
        f"<div class='kfut-groups'>{parts}</div>{_levels(fills)}"
        + (f"<ul aria-label='Warnings'>{notes}</ul>" if notes else "")
        + "</div>"
    )


def _table(rows: Rows) -> str:
    cells = "".join(f"<tr><th scope='row'>{escape(label)}</th><td>{escape(text)}</td></tr>" for label, text in rows)
    return f"<table>{cells}</table>"


def _levels(fills: Rows) -> str:
    if len(fills) < 2:
        return ""
    cells = "".join(f"<tr><td>{escape(size)}</td><td>at {escape(price)}</td></tr>" for size, price in fills)
    return f"<details><summary>{len(fills)} levels of the book</summary><table>{cells}</table></details>"
