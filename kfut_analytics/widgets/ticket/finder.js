// A field in which one of many is found by words: every word that is typed occurs somewhere in what is offered.
//
// A combobox as assistive technology knows it: the focus stays in the field, arrows move through the list, Enter takes
// what is marked, Escape leaves everything as it was. Only the first matches become elements, so many cost nothing.

const SHOWN = 40;

function render({ model, el }) {
  const id = `kfut-finder-${Math.random().toString(36).slice(2)}`;
  el.classList.add("kfut-finder");
  const label = document.createElement("label");
  label.htmlFor = id;
  const input = document.createElement("input");
  Object.assign(input, { id, type: "text", autocomplete: "off", spellcheck: false });
  const list = document.createElement("ul");
  Object.assign(list, { id: `${id}-list`, hidden: true });
  list.setAttribute("role", "listbox");
  const wanted = { role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(wanted)) input.setAttribute(name, value);
  el.append(label, input, list);
  let marked = -1;

  function matches() {
    const words = input.value.toLowerCase().split(/[\s/_·,]+/).filter(Boolean);
    const options = model.get("options");
    if (input.value === model.get("value")) return options; // nothing was typed yet: everything is offered
    const found = options.filter((option) => words.every((word) => option.join(" ").toLowerCase().includes(word)));
    return [...found.filter(isTyped), ...found.filter((option) => !isTyped(option))];
  }

  // What is named in full comes first: another one may have all of its letters, too.
  const isTyped = ([value]) => value.toLowerCase() === input.value.trim().toLowerCase();

  function open() {
    const found = matches();
    list.replaceChildren(
      ...found.slice(0, SHOWN).map(([value, text], index) => {
        const item = document.createElement("li");
        Object.assign(item, { id: `${id}-${index}` });
        item.setAttribute("role", "option");
        item.dataset.value = value;
        item.append(Object.assign(document.createElement("b"), { textContent: value }), ` ${text}`);
        item.addEventListener("click", () => take(value));
        return item;
      }),
    );
    const left = found.length - SHOWN;
    const rest = found.length === 0 ? model.get("nothing") : left > 0 ? `… and ${left} more: type another word` : "";
    if (rest) {
      const item = document.createElement("li");
      Object.assign(item, { className: "kfut-label", textContent: rest });
      item.setAttribute("role", "presentation");
      list.append(item);
    }
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    const typed = input.value !== model.get("value");
    mark(typed ? 0 : found.findIndex(([value]) => value === model.get("value")));
  }

  function mark(index) {
    const items = list.querySelectorAll("[role=option]");
    marked = items.length ? Math.max(-1, Math.min(index, items.length - 1)) : -1;
    items.forEach((item, at) => item.setAttribute("aria-selected", at === marked ? "true" : "false"));
    if (marked < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", items[marked].id);
      items[marked].scrollIntoView({ block: "nearest" });
    }
  }

  function close() {
    list.hidden = true;
    list.replaceChildren();
    input.setAttribute("aria-expanded", "false");
    mark(-1);
  }

  function take(value) {
    close();
    input.value = value;
    if (model.get("value") === value) return;
    model.set("value", value);
    model.save_changes();
  }

  input.addEventListener("input", open);
  input.addEventListener("click", open);
  input.addEventListener("focus", () => input.select());
  // Whoever goes on with the keyboard has found what is the only match; any other text is told to be no contract.
  input.addEventListener("blur", () => {
    const found = matches();
    take(found.length === 1 || (found.length && isTyped(found[0])) ? found[0][0] : input.value.trim());
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  input.addEventListener("keydown", (event) => {
    // JupyterLab has shortcuts of its own; what is typed into a field is meant for it.
    event.stopPropagation();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) open();
      else mark(Math.max(0, marked + step));
    } else if (event.key === "Enter") {
      const item = list.querySelectorAll("[role=option]")[marked];
      take(item ? item.dataset.value : input.value.trim());
    } else if (event.key === "Escape") {
      input.value = model.get("value");
      close();
    }
  });

  const show = {
    label: () => {
      label.textContent = model.get("label");
      list.setAttribute("aria-label", model.get("label"));
    },
    placeholder: () => (input.placeholder = model.get("placeholder")),
    value: () => (input.value = model.get("value")),
    options: () => list.hidden || open(),
    wrong: () => {
      input.setAttribute("aria-invalid", String(model.get("wrong")));
      el.classList.toggle("kfut-wrong", model.get("wrong"));
    },
  };
  for (const [name, act] of Object.entries(show)) {
    act();
    model.on(`change:${name}`, act);
  }
}

export default { render };
