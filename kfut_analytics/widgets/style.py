"""The look that all widgets share: JupyterLab's own colours, so that light and dark themes both work.

Every variable has a fallback for places that do not define JupyterLab's. ``.kfut`` has the look. ``.kfut-root`` is a
box with a `kfut_analytics.widgets.presence.Presence` in it: its content is shown only while that knows that the kernel
lives, so that whatever shows a saved notebook, and however, it shows no price of the past. Rules of one widget only
are in a file beside it.
"""

from __future__ import annotations

CSS = """<style>
.kfut {
  --kfut-text: var(--jp-ui-font-color1, currentColor);
  --kfut-muted: var(--jp-ui-font-color2, currentColor);
  --kfut-line: var(--jp-border-color1, #888);
  --kfut-faint: var(--jp-border-color2, #bbb);
  --kfut-panel: var(--jp-layout-color2, transparent);
  --kfut-ground: var(--jp-layout-color1, transparent);
  --kfut-good: var(--jp-success-color1, #2e7d32);
  --kfut-note: var(--jp-warn-color1, #e65100);
  --kfut-bad: var(--jp-error-color1, #c62828);
  --kfut-focus: var(--jp-brand-color1, #1976d2);
  color: var(--kfut-text); overflow: visible;
}
.kfut .widget-html, .kfut .widget-html-content {
  line-height: 1.45; height: auto; min-height: 0; overflow: visible; margin: 0;
}
.kfut .widget-label { color: var(--kfut-text); }
.kfut :is(input, button, select, [tabindex]):focus-visible { outline: 2px solid var(--kfut-focus); outline-offset: 1px; }
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

.kfut-root:not(:has(.kfut-presence:is([data-state=connected], [data-state=checking])))
  > :not(:has(> .kfut-presence), .kfut-presence, .kfut-unloaded) { display: none !important; }
.kfut-root:has(.kfut-presence[data-state=checking]) > :not(.kfut-presence) { opacity: .5; }
.kfut-root:has(.kfut-presence[data-state]) > .kfut-unloaded { display: none !important; }
.kfut-unloaded { animation: kfut-show 3s step-end; }
.jp-OutputArea-child:has(.kfut-saved):has(+ .jp-OutputArea-child .kfut-root) { display: none; }
.kfut-presence { margin: 0; }
.kfut-presence:is([data-state=connected], [data-state=checking]) { height: 0; min-height: 0; overflow: hidden; }
.kfut-offline { padding: 8px 10px; border: 1px dashed var(--kfut-line); border-radius: 4px; color: var(--kfut-text); }
.kfut-offline:empty { display: none; }
</style>"""
