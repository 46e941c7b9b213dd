"""The look that all widgets share: JupyterLab's own colours, so that light and dark themes both work.

Places that do not define JupyterLab's variables get a light sheet with dark text, whatever their own theme is: text
and ground are known together. (VS Code lays widgets on white in dark themes, too.)

``.kfut`` has the look. ``.kfut-root`` is a box with a `kfut_analytics.widgets.presence.Presence` in it: its content is
shown only while that knows that the kernel lives, so that whatever shows a saved notebook, and however, it shows no
price of the past. Rules of one widget only are in a file beside it.
"""

from __future__ import annotations

CSS = """<style>
.kfut {
  --kfut-text: var(--jp-ui-font-color1, #212121);
  --kfut-muted: var(--jp-ui-font-color2, #595959);
  --kfut-line: var(--jp-border-color1, #bdbdbd);
  --kfut-faint: var(--jp-border-color2, #e0e0e0);
  --kfut-sheet: var(--jp-layout-color0, #fff);
  --kfut-ground: var(--jp-layout-color1, #fff);
  --kfut-panel: var(--jp-layout-color2, #f5f5f5);
  --kfut-good: var(--jp-success-color1, #2e7d32);
  --kfut-note: var(--jp-warn-color1, #b54708);
  --kfut-bad: var(--jp-error-color1, #c62828);
  --kfut-focus: var(--jp-brand-color1, #1976d2);
  color: var(--kfut-text); background: var(--kfut-sheet); overflow: visible;
}
[data-jp-theme-light="false"] .kfut { color-scheme: dark;
  --jp-widgets-dropdown-arrow: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'\
%3E%3Cpath fill='%23ddd' d='M4 7l5 5 5-5z'/%3E%3C/svg%3E"); }
.kfut .widget-html, .kfut .widget-html-content {
  line-height: 1.45; height: auto; min-height: 0; overflow: visible; margin: 0;
}
.kfut .widget-label { color: var(--kfut-text); }
.kfut :is(input, button, select, [tabindex]):focus-visible {
  outline: 2px solid var(--kfut-focus); outline-offset: 1px;
}
.kfut input[type=text] { font-variant-numeric: tabular-nums; }

.kfut-badge {
  display: inline-block; padding: 1px 10px; border-radius: 4px; font-weight: 600; letter-spacing: .04em;
}
.kfut-badge.kfut-paper { border: 1px solid var(--kfut-line); color: var(--kfut-muted); }
.kfut-badge.kfut-live { background: #b71c1c; color: #fff; font-size: 115%; }
.kfut-mode { margin-left: 8px; color: var(--kfut-muted); }
.kfut-label { color: var(--kfut-muted); font-size: 92%; }
.kfut-quote { display: flex; flex-wrap: wrap; gap: 2px 16px; font-variant-numeric: tabular-nums; }
.kfut-figure { white-space: nowrap; }

.kfut-card {
  border: 1px solid var(--kfut-line); border-left-width: 4px; border-radius: 4px;
  padding: 8px 10px; background: var(--kfut-panel); overflow-wrap: anywhere;
}
.kfut-good { border-left-color: var(--kfut-good); }
.kfut-note { border-left-color: var(--kfut-note); }
.kfut-bad { border-left-color: var(--kfut-bad); }
.kfut-title, .kfut-summary { font-weight: 600; }
.kfut-summary { font-size: 108%; margin: 2px 0 4px; }
.kfut-problem { color: var(--kfut-bad); margin: 1px 0 3px; }
.kfut-warnings { margin: 6px 0 2px; padding: 6px 8px 6px 24px;
  border: 1px dashed var(--kfut-note); border-radius: 4px; }
.kfut-table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.kfut-table th { text-align: left; vertical-align: top; font-weight: normal; color: var(--kfut-muted);
  padding: 1px 16px 1px 0; white-space: nowrap; }
.kfut-table td { text-align: left; padding: 1px 0; }

.kfut-countdown { display: grid; margin-top: 8px; }
.kfut-bar { height: 3px; background: var(--kfut-focus); transform-origin: left;
  animation: kfut-empty var(--kfut-lifetime) linear forwards; }
.kfut-open, .kfut-expired { grid-column: 1; grid-row: 2; }
.kfut-open { animation: kfut-hide 0s linear var(--kfut-lifetime) forwards; }
.kfut-expired { animation: kfut-show var(--kfut-lifetime) step-end; }
@keyframes kfut-empty { to { transform: scaleX(0); } }
@keyframes kfut-hide { to { visibility: hidden; } }
@keyframes kfut-show { from { visibility: hidden; } to { visibility: visible; } }
@media (prefers-reduced-motion: reduce) { .kfut-bar { animation-timing-function: steps(3); } }

.kfut-panel { gap: 6px; container-type: inline-size; min-width: 0; }
.kfut-panel.kfut-root { padding: 10px 12px; border: 1px solid var(--kfut-line); border-radius: 6px; }
.kfut-head { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 12px; margin-bottom: 2px; }
.kfut-heading { font-weight: 600; font-size: 108%; }
.kfut-as-of { margin-left: auto; font-variant-numeric: tabular-nums; }
.kfut-body { gap: 6px; overflow: visible; min-width: 0; }
.kfut-old .kfut-grid table { opacity: .6; }
.kfut-unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}

.kfut-grid { overflow-x: auto; padding: 2px; margin: 0; min-width: 0; line-height: 1.35; }
.kfut-grid table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; color: inherit;
  font-size: inherit; margin: 0; table-layout: auto; border: none; }
.kfut-grid table:focus { outline: none; }
.kfut-grid :is(th, td) { padding: 4px 10px 4px 0; vertical-align: top; white-space: nowrap; border: none;
  max-width: none; }
.kfut-grid :is(th, td):last-child { padding-right: 0; }
.kfut-grid th { font-weight: normal; color: var(--kfut-muted); border-bottom: 1px solid var(--kfut-line);
  vertical-align: bottom; }
.kfut-grid tbody tr { background: none; text-align: inherit; }
.kfut-grid .kfut-row > td { border-top: 1px solid var(--kfut-faint); }
.kfut-grid tbody > .kfut-row:first-child > td { border-top: none; }
.kfut-grid td.kfut-wrap { white-space: normal; min-width: 14em; }
.kfut-grid .kfut-left { text-align: left; }
.kfut-grid .kfut-right { text-align: right; }
.kfut-grid .kfut-sub { display: block; color: var(--kfut-muted); font-size: 88%; white-space: normal; }
.kfut-grid .kfut-sub:empty { display: none; }
.kfut-grid .kfut-right + .kfut-left { padding-left: 10px; }
.kfut-grid .kfut-acts { text-align: right; position: sticky; right: 0;
  background: var(--kfut-sheet); }
.kfut-grid .kfut-acts .kfut-button + .kfut-button { margin-left: 4px; }
.kfut-grid .kfut-note-line > td, .kfut-grid .kfut-edit-line > td { padding: 0 0 6px; white-space: normal; }
.kfut-grid .kfut-row.kfut-busy > td { opacity: .7; }
.kfut-grid .kfut-row.kfut-gone > td { text-decoration: line-through; opacity: .7; }
.kfut-empty { color: var(--kfut-muted); padding: 6px 0; }
.kfut-tone-good { color: var(--kfut-good); }
.kfut-tone-bad { color: var(--kfut-bad); }
.kfut-tone-note { color: var(--kfut-note); }

.kfut-button { font: inherit; color: var(--kfut-text); background: var(--kfut-panel);
  border: 1px solid var(--kfut-line); border-radius: 3px; padding: 1px 9px; min-height: 24px; cursor: pointer; }
.kfut-button:hover { border-color: var(--kfut-text); }
.kfut-button[aria-disabled=true] { color: var(--kfut-muted); cursor: not-allowed; border-style: dashed; }
.kfut-button.kfut-primary { font-weight: 600; border-color: var(--kfut-text); }
.kfut-edit { display: flex; flex-wrap: wrap; align-items: end; gap: 6px 12px; padding: 8px 10px;
  background: var(--kfut-panel); border-radius: 4px; }
.kfut-edit label { display: grid; gap: 2px; color: var(--kfut-muted); }
.kfut-edit input { font: inherit; font-variant-numeric: tabular-nums; text-align: right; width: 9em; padding: 2px 6px;
  color: var(--kfut-text); background: var(--kfut-ground); border: 1px solid var(--kfut-line); border-radius: 3px; }
.kfut-bar-of-actions {
  overflow: visible; flex-flow: row wrap; justify-content: flex-end; align-items: center; gap: 6px;
}
.kfut-confirm .jupyter-button:not(.mod-danger) { background: var(--kfut-panel); color: var(--kfut-text);
  border: 1px solid var(--kfut-line); border-radius: 3px; }
.kfut-confirm.kfut-grave .jupyter-button:not(.mod-danger) { border-color: var(--kfut-bad); }
.kfut-confirm { overflow: visible; flex-flow: row wrap; align-items: center; gap: 6px; }

.kfut-panels { gap: 16px; overflow: visible; min-width: 0; }
.kfut-panels > .kfut-panel + .kfut-panel { border-top: 1px solid var(--kfut-line); padding-top: 10px; }
.kfut-tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(11em, 1fr)); gap: 8px 18px;
  margin: 2px 0 4px; font-variant-numeric: tabular-nums; }
.kfut-tile > .kfut-value { display: block; font-size: 130%; font-weight: 600; }
.kfut-tile > .kfut-label { display: block; }
.kfut-meter { height: 6px; border: 1px solid var(--kfut-line); border-radius: 3px; margin-top: 3px; overflow: hidden; }
.kfut-meter > div { height: 100%; background: var(--kfut-focus); }
.kfut-meter.kfut-over > div { background: var(--kfut-bad); }
.kfut-alerts { display: grid; gap: 6px; }
.kfut-switch { justify-content: flex-start; }
.kfut-switch-name { display: inline-block; min-width: 11.5em; font-weight: 600; }
@property --kfut-count { syntax: "<integer>"; inherits: false; initial-value: 0; }
.kfut-remaining { font-variant-numeric: tabular-nums; font-weight: 600; --kfut-count: var(--kfut-from);
  counter-reset: seconds var(--kfut-count); animation: kfut-count var(--kfut-lifetime) linear forwards; }
.kfut-remaining::after { content: counter(seconds); }
@keyframes kfut-count { to { --kfut-count: 0; } }

@container (min-width: 880px) { .kfut-grid .kfut-sub { white-space: nowrap; } }
@container (max-width: 640px) {
  .kfut-grid :is(table, tbody, tr, td) { display: block; }
  .kfut-grid thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .kfut-grid .kfut-row { display: grid; grid-template-columns: 1fr 1fr; gap: 0 14px; padding: 6px 0;
    border-top: 1px solid var(--kfut-faint); }
  .kfut-grid tbody > .kfut-row:first-child { border-top: none; }
  .kfut-grid .kfut-row > td { border: none; padding: 2px 0; display: flex; justify-content: space-between; gap: 8px;
    flex-wrap: wrap; text-align: right; white-space: normal; }
  .kfut-grid .kfut-row > td::before { content: attr(data-label); color: var(--kfut-muted); }
  .kfut-grid .kfut-row > td.kfut-void { display: none; }
  .kfut-grid .kfut-row > td > .kfut-sub { flex-basis: 100%; }
  .kfut-grid .kfut-row > td:first-child { font-weight: 600; justify-content: flex-start; text-align: left; }
  .kfut-grid .kfut-row > td:first-child > .kfut-sub { font-weight: normal; flex-basis: auto; align-self: center; }
  .kfut-grid .kfut-right + .kfut-left { padding-left: 0; }
  .kfut-grid .kfut-row > td:first-child::before { content: none; }
  .kfut-grid .kfut-row > .kfut-acts { grid-column: 1 / -1; justify-content: flex-end; }
  .kfut-grid .kfut-row > .kfut-acts::before { content: none; }
  .kfut-grid [hidden] { display: none; }
}

.kfut-root:not(:has(.kfut-presence:is([data-state=connected], [data-state=checking])))
  > :not(:has(> .kfut-presence), .kfut-presence, .kfut-unloaded) { display: none !important; }
.kfut-root:has(.kfut-presence[data-state=checking]) > :not(.kfut-presence) { opacity: .5; }
.kfut-root:has(.kfut-presence[data-state]) > .kfut-unloaded { display: none !important; }
.kfut-unloaded { animation: kfut-show 3s step-end; }
.jp-OutputArea-child:has(.kfut-saved):has(+ .jp-OutputArea-child .kfut-root) { display: none; }
.kfut-presence { margin: 0; }
.kfut-presence:is([data-state=connected], [data-state=checking]) { position: absolute; height: 0; min-height: 0;
  overflow: hidden; }
.kfut-offline { padding: 8px 10px; border: 1px dashed var(--kfut-line); border-radius: 4px; color: var(--kfut-text); }
.kfut-offline:empty { display: none; }
</style>"""
