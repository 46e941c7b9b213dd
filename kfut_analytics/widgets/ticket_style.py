"""The ticket's own look; what it shares with the panels is in `style`."""

from __future__ import annotations

TICKET_CSS = """<style>
.kfut-ticket {
  max-width: 60em; padding: 12px 14px; gap: 10px;
  border: 1px solid var(--kfut-line); border-radius: 6px;
}
.kfut-ticket.kfut-is-live { border: 2px solid #b71c1c; }
.kfut-ticket .kfut-columns { gap: 10px 18px; }
.kfut-ticket .kfut-field { overflow: visible; }
.kfut-ticket .kfut-form { gap: 6px; }
.kfut-ticket .kfut-shown { gap: 8px; }
.kfut-ticket .kfut-form > * { margin: 0; }
.kfut-ticket .kfut-form .widget-inline-hbox { margin: 0; flex-wrap: nowrap; }
.kfut-ticket .widget-toggle-buttons { display: flex; align-items: center; }
.kfut-ticket .widget-toggle-buttons > .widget-label { flex: 0 0 5.5em; text-align: right; margin: 0 8px 0 0; }
.kfut-ticket .widget-toggle-buttons .widget-toggle-button { margin: 0 4px 0 0; }
.kfut-ticket .widget-toggle-button.mod-active {
  outline: 2px solid var(--kfut-text); outline-offset: -2px; font-weight: 600;
}
.kfut-ticket :is(.widget-checkbox, .kfut-actions, .kfut-problem) { padding-left: calc(5.5em + 9px); }
</style>"""
