"""The ticket's own look; what it shares with the panels is in `kfut_analytics.widgets.style`."""

from __future__ import annotations

TICKET_CSS = """<style>
.kfut-ticket {
  max-width: 78em; padding: 12px 14px; gap: 10px; container-type: inline-size;
  border: 1px solid var(--kfut-line); border-radius: 6px;
}
.kfut-ticket.kfut-is-live { border: 3px solid #b71c1c; }
.kfut-ticket :is(.kfut-ticket-head, .kfut-columns, .kfut-form, .kfut-shown, .kfut-fields, .kfut-actions) {
  overflow: visible; min-width: 0;
}
.kfut-ticket-head { flex-flow: row wrap; align-items: center; justify-content: space-between; gap: 6px 16px; }
.kfut-arming { flex-flow: row wrap; align-items: center; gap: 4px 8px; overflow: visible; }
.kfut-armed { background: #b71c1c; color: #fff; padding: 1px 8px; border-radius: 4px; font-weight: 600; }
.kfut-columns { flex-flow: row wrap; gap: 12px 24px; align-items: flex-start; }
.kfut-columns > .kfut-form { flex: 1 1 24em; gap: 6px; }
.kfut-columns > .kfut-shown { flex: 1 1 22em; gap: 10px; }
.kfut-form > *, .kfut-fields > * { margin: 0; }
.kfut-form > .widget-vbox:has(.kfut-finder) { overflow: visible; }
.kfut-form > .widget-vbox:has(.kfut-finder) .kfut-problem { padding-left: calc(6.5em + 8px); }
.kfut-fields { flex-flow: row wrap; gap: 4px 10px; align-items: flex-start; }
.kfut-fields > .kfut-number { flex: 1 1 14em; }
.kfut-fields > .widget-dropdown { flex: 0 0 9.5em; width: 9.5em !important; }
.kfut-fields > .widget-dropdown > .widget-label { width: auto; flex: 0 0 auto; }
.kfut-form .widget-inline-hbox { margin: 0; flex-wrap: nowrap; }
.kfut-toggle { display: flex; align-items: center; margin: 0; }
.kfut-toggle > span { flex: 0 0 6.5em; text-align: right; margin: 0 8px 0 0;
  font-size: var(--jp-widgets-font-size, 13px); }
.kfut-toggle > .widget-toggle-button { width: 6em; margin: 0 4px 0 0; }
.kfut-ticket .widget-toggle-button.mod-active {
  outline: 2px solid var(--kfut-text); outline-offset: -2px; font-weight: 600;
}
.kfut-form > :is(.kfut-actions, .kfut-fields:has(.widget-checkbox)) { padding-left: calc(6.5em + 8px); }
.kfut-form .kfut-actions { gap: 8px; align-items: center; }
.kfut-form .kfut-actions > .jupyter-button { margin: 0; }
.kfut-fields:not(:has(> :not([style*="display: none"]))) { display: none; }
.kfut-shown .kfut-card + .kfut-card { margin-top: 8px; }
.kfut-columns + .kfut-panels { border-top: 1px solid var(--kfut-line); padding-top: 12px; }

.kfut-number { display: grid; grid-template-columns: 6.5em minmax(0, 1fr); gap: 3px 8px; align-items: center;
  margin: 0; }
.kfut-number > label { text-align: right; color: var(--kfut-text); font-size: var(--jp-widgets-font-size, 13px); }
.kfut-number > .kfut-line { display: flex; gap: 3px; align-items: center; min-width: 0; }
.kfut-number input {
  flex: 1 1 6em; min-width: 0; height: 28px; padding: 0 8px; text-align: right; font: inherit;
  font-variant-numeric: tabular-nums; color: var(--kfut-text); background: var(--kfut-ground);
  border: 1px solid var(--kfut-line); border-radius: 2px; box-sizing: border-box;
}
.kfut-number .kfut-line > .kfut-button { min-width: 28px; height: 28px; padding: 0; }
.kfut-number > .kfut-chips { grid-column: 2; display: flex; flex-wrap: wrap; gap: 4px; }
.kfut-fields > .kfut-number > .kfut-chips { flex-wrap: nowrap; width: max-content; }
.kfut-number > .kfut-chips:empty { display: none; }
.kfut-number > .kfut-problem { grid-column: 2; }
.kfut-fields > .kfut-number > .kfut-problem { width: calc(100% + 9.5em + 10px); }
.kfut-number > .kfut-problem:empty { display: none; }
.kfut-number.kfut-wrong input { border: 2px solid var(--kfut-bad); }

.kfut-finder { position: relative; display: grid; grid-template-columns: 6.5em minmax(0, 1fr); gap: 0 8px;
  align-items: center; margin: 0; overflow: visible; }
.kfut-finder > label { text-align: right; font-size: var(--jp-widgets-font-size, 13px); }
.kfut-finder > input { min-width: 0; height: 28px; padding: 0 8px; font: inherit; color: var(--kfut-text);
  background: var(--kfut-ground); border: 1px solid var(--kfut-line); border-radius: 2px; box-sizing: border-box; }
.kfut-finder.kfut-wrong > input { border: 2px solid var(--kfut-bad); }
.kfut-finder > ul { position: absolute; z-index: 10; top: 100%; left: calc(6.5em + 8px); right: 0; max-height: 18em;
  overflow-y: auto; margin: 2px 0 0; padding: 2px 0; list-style: none; color: var(--kfut-text);
  background: var(--kfut-ground); border: 1px solid var(--kfut-line); border-radius: 2px;
  box-shadow: 0 2px 8px rgb(0 0 0 / 30%); }
.kfut-finder > ul[hidden] { display: none; }
.kfut-finder li { padding: 3px 8px; cursor: pointer; margin: 0; }
.kfut-finder li:is(:hover, [aria-selected=true]) { background: var(--kfut-panel); }
.kfut-finder li[aria-selected=true] { outline: 1px solid var(--kfut-focus); outline-offset: -1px; }
.kfut-finder li[role=presentation] { cursor: default; }

.kfut-send { max-width: 100%; }
.kfut-send > button { width: auto; max-width: 100%; margin: 0; font-weight: 600; }
.kfut-send > button:disabled { opacity: .5; cursor: not-allowed; font-weight: normal; }
.kfut-facts { display: flex; flex-wrap: wrap; gap: 0 14px; padding-left: calc(6.5em / .92 + 8px); font-size: 92%;
  font-variant-numeric: tabular-nums; }
.kfut-market { display: grid; gap: 6px; }
.kfut-strip { display: flex; flex-wrap: wrap; gap: 2px 16px; align-items: baseline;
  font-variant-numeric: tabular-nums; }
.kfut-strip .kfut-label { margin-right: 5px; }
.kfut-age { color: var(--kfut-muted); font-size: 92%; margin-left: auto; }
.kfut-age.kfut-is-old { color: var(--kfut-bad); font-weight: 600; }
.kfut-past, .kfut-stale .kfut-ladder, .kfut-stale .kfut-value { opacity: .55; }
.kfut-trouble { color: var(--kfut-bad); }
.kfut-trouble:empty { display: none; }
.kfut-ladder { display: grid; max-width: 26em; }
.kfut-level {
  position: relative; display: grid; grid-template-columns: 2.6em 1fr 1fr 6em; gap: 8px;
  padding: 1px 8px; border: none;
  background: none; color: inherit; font: inherit; font-variant-numeric: tabular-nums;
  text-align: right; cursor: pointer;
}
.kfut-level[hidden] { display: none; }
.kfut-level:hover { background: var(--kfut-panel); }
.kfut-level > .kfut-side { text-align: left; color: var(--kfut-muted); }
.kfut-level > .kfut-own { text-align: left; font-size: 90%; }
.kfut-level[data-side=ask] + .kfut-level[data-side=bid] { border-top: 1px solid var(--kfut-line); }
.kfut-level > .kfut-share { position: absolute; inset: 1px 0 1px auto; opacity: .16; background: var(--kfut-bad); }
.kfut-level[data-side=bid] > .kfut-share { background: var(--kfut-good); }
.kfut-level > :not(.kfut-share) { position: relative; }
@container (max-width: 350px) {
  .kfut-fields > .kfut-number > .kfut-problem { width: auto; }
}
</style>"""
