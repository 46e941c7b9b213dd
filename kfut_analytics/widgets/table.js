// A table whose rows are kept by their key and updated in place: what has the focus keeps it, what somebody types
// stays, and only texts that changed are touched. A row may carry buttons, and one of them may open a form below it.

const make = (tag, className = "", attributes = {}) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

const put = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const set = (node, name, value) => {
  if (value === null || value === "") node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
};

function render({ model, el }) {
  const columns = model.get("columns");
  const actions = Object.fromEntries(model.get("actions").map((action) => [action.name, action]));
  const acting = Object.keys(actions).length > 0;
  const width = columns.length + (acting ? 1 : 0);

  // The notebook's own keys stay quiet in here: Enter on a button is a click.
  el.dataset.lmSuppressShortcuts = "true";
  el.classList.add("kfut-grid");
  const table = make("table", "", { role: "table" });
  const head = make("tr", "", { role: "row" });
  for (const column of columns) {
    const cell = make("th", `kfut-${column.align}`, { role: "columnheader", scope: "col" });
    cell.textContent = column.label;
    if (column.title) cell.title = column.title;
    head.append(cell);
  }
  if (acting) {
    const cell = make("th", "kfut-right", { role: "columnheader", scope: "col" });
    cell.append(Object.assign(make("span", "kfut-unseen"), { textContent: "Actions" }));
    head.append(cell);
  }
  const header = make("thead", "", { role: "rowgroup" });
  header.append(head);
  const body = make("tbody", "", { role: "rowgroup" });
  table.append(header, body);
  const empty = make("div", "kfut-empty");
  el.append(table, empty);

  const rows = new Map();

  function send(row, action, more = {}) {
    model.send({ action, key: row.data.key, permit: row.data.permit, ...more });
  }

  function newRow(data) {
    const line = make("tr", "kfut-row", { role: "row" });
    const row = { data, line, cells: [], buttons: {}, form: null, gone: false };
    for (const column of columns) {
      const cell = make("td", `kfut-${column.align}`, { role: "cell", "data-label": column.label });
      const text = make("span");
      const sub = make("span", "kfut-sub");
      cell.append(text, sub);
      line.append(cell);
      row.cells.push({ name: column.name, cell, text, sub });
    }
    if (acting) {
      row.acts = make("td", "kfut-acts", { role: "cell" });
      line.append(row.acts);
    }
    row.noteLine = make("tr", "kfut-note-line", { role: "row", hidden: "" });
    row.note = make("td", "", { role: "cell", colspan: width });
    row.noteText = make("div", "", { role: "status" });
    row.note.append(row.noteText);
    row.noteLine.append(row.note);
    return row;
  }

  function showButtons(row) {
    if (!acting) return;
    const off = model.get("off");
    const wanted = row.gone ? [] : row.data.actions;
    for (const [name, button] of Object.entries(row.buttons)) {
      if (!wanted.includes(name)) {
        button.remove();
        delete row.buttons[name];
      }
    }
    for (const name of wanted) {
      const action = actions[name];
      let button = row.buttons[name];
      if (!button) {
        button = make("button", "kfut-button", { type: "button" });
        button.textContent = action.label;
        button.addEventListener("click", () => {
          // What protects an order is the permit, which the kernel checks; this only saves a question.
          if (button.getAttribute("aria-disabled") === "true") {
            if (model.get("off")) send(row, name);
          } else if (action.fields.length) toggleForm(row, action);
          else send(row, name);
        });
        row.buttons[name] = button;
        row.acts.append(button);
      }
      set(button, "aria-label", `${action.label} ${row.data.label}`);
      const dead = row.data.busy || (action.sends && (off || !row.data.permit)); // without a permit for a moment after each act
      set(button, "aria-disabled", dead ? "true" : null);
      set(button, "title", action.sends && off ? off : action.title);
      if (action.fields.length) set(button, "aria-expanded", row.form?.action === name ? "true" : "false");
    }
  }

  function toggleForm(row, action) {
    if (row.form) closeForm(row, true);
    else openForm(row, action);
  }

  function openForm(row, action) {
    const line = make("tr", "kfut-edit-line", { role: "row" });
    const cell = make("td", "", { role: "cell", colspan: width });
    const form = make("form", "kfut-edit", { "aria-label": `${action.label} ${row.data.label}` });
    const inputs = {};
    for (const field of action.fields) {
      if (!(field.name in row.data.values)) continue;
      const label = make("label");
      label.append(Object.assign(make("span"), { textContent: field.label }));
      const input = make("input", "", { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
      input.value = row.data.values[field.name];
      label.append(input);
      form.append(label);
      inputs[field.name] = input;
    }
    const submit = make("button", "kfut-button kfut-primary", { type: "submit" });
    submit.textContent = action.submit;
    const cancel = make("button", "kfut-button", { type: "button" });
    cancel.textContent = "Leave as it is";
    cancel.addEventListener("click", () => closeForm(row, true));
    form.append(submit, cancel);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (submit.getAttribute("aria-disabled") === "true") return;
      const typed = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]));
      row.form.sent = true;
      showForm(row);
      send(row, action.name, { typed, begun: row.form.begun });
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") closeForm(row, true);
      // The notebook keeps Enter from sending a form by itself.
      if (event.key === "Enter" && event.target instanceof HTMLInputElement) {
        event.preventDefault();
        form.requestSubmit(submit);
      }
    });
    cell.append(form);
    line.append(cell);
    row.form = { action: action.name, line, submit, begun: row.data.values, sent: false, busy: false };
    row.line.after(line);
    showButtons(row);
    const first = Object.values(inputs)[0];
    first?.focus();
    first?.select();
  }

  function showForm(row) {
    if (!row.form) return;
    if (row.data.busy) row.form.busy = true;
    else if (row.form.busy) {
      // The answer is here: what was refused stays open to be mended.
      row.form.busy = row.form.sent = false;
      if (row.data.note?.tone === "good") return closeForm(row, row.form.line.contains(document.activeElement));
    }
    const dead = row.gone || row.form.busy;
    set(row.form.submit, "aria-disabled", dead ? "true" : null);
  }

  function closeForm(row, refocus) {
    row.form.line.remove();
    const { action } = row.form;
    row.form = null;
    if (row.gone) drop(row);
    showButtons(row);
    if (refocus) (row.buttons[action] ?? table).focus();
  }

  function drop(row) {
    const focused = row.line.contains(document.activeElement);
    row.line.remove();
    row.noteLine.remove();
    rows.delete(row.data.key);
    // The focus goes where the next thing is, not to the top of the page.
    if (focused) (body.querySelector("button") ?? table).focus();
    empty.hidden = rows.size > 0;
    table.hidden = !empty.hidden;
  }

  function fillRow(row) {
    for (const { name, cell, text, sub } of row.cells) {
      const value = row.data.cells[name] ?? { text: "" };
      put(text, value.text);
      put(sub, value.sub ?? "");
      set(text, "class", value.tone ? `kfut-tone-${value.tone}` : null);
      set(cell, "title", value.title ?? null);
      cell.classList.toggle("kfut-void", !value.text);
      cell.classList.toggle("kfut-wrap", Boolean(value.wrap));
    }
    row.line.classList.toggle("kfut-busy", row.data.busy);
    row.line.classList.toggle("kfut-gone", row.gone);
    set(row.line, "aria-busy", row.data.busy ? "true" : null);
    const note = row.gone ? { tone: "note", text: "! No longer here: filled, cancelled or closed meanwhile." } : row.data.note;
    row.noteLine.hidden = !note;
    put(row.noteText, note ? note.text : "");
    set(row.noteText, "class", note ? `kfut-tone-${note.tone}` : null);
    showForm(row);
    showButtons(row);
  }

  function update() {
    const active = document.activeElement;
    const held = el.contains(active) ? active : null;
    const selection = held instanceof HTMLInputElement ? [held.selectionStart, held.selectionEnd] : null;
    const wanted = model.get("rows");
    const keys = new Set(wanted.map((data) => data.key));
    for (const row of [...rows.values()]) {
      if (keys.has(row.data.key)) continue;
      if (row.form) {
        row.gone = true;
        fillRow(row);
      } else drop(row);
    }
    let last = null;
    for (const data of wanted) {
      let row = rows.get(data.key);
      if (!row) rows.set(data.key, (row = newRow(data)));
      row.data = data;
      row.gone = false;
      const following = last ? last.nextElementSibling : body.firstElementChild;
      if (row.line !== following) (last ? last.after(row.line) : body.prepend(row.line));
      last = row.line;
      for (const line of [row.form?.line, row.noteLine]) {
        if (!line) continue;
        if (last.nextElementSibling !== line) last.after(line);
        last = line;
      }
      fillRow(row);
    }
    put(empty, model.get("empty"));
    empty.hidden = rows.size > 0;
    table.hidden = !empty.hidden;
    if (held && held !== document.activeElement && el.contains(held)) {
      held.focus({ preventScroll: true });
      if (selection) held.setSelectionRange(...selection);
    }
  }

  function describe() {
    set(table, "aria-label", model.get("label"));
    table.tabIndex = -1;
    for (const row of rows.values()) showButtons(row);
  }

  model.on("change:rows", update);
  model.on("change:empty", update);
  model.on("change:label", describe);
  model.on("change:off", describe);
  describe();
  update();
}

export default { render };
