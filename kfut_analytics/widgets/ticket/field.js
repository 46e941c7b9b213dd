// A labelled field for a number that is typed: with steppers, arrow keys, buttons that fill it, and the problem it has.
//
// The value is text, just as it was typed; the kernel does the arithmetic. While somebody types, what comes from the
// kernel replaces the text only if it is another one.

function render({ model, el }) {
  // Every field may have a module of its own: only chance keeps their ids apart.
  const id = `kfut-field-${Math.random().toString(36).slice(2)}`;
  el.classList.add("kfut-number");

  const label = document.createElement("label");
  label.htmlFor = id;
  const line = document.createElement("div");
  line.className = "kfut-line";
  const input = document.createElement("input");
  Object.assign(input, { id, type: "text", inputMode: "decimal", autocomplete: "off", spellcheck: false });
  const chips = document.createElement("div");
  chips.className = "kfut-chips";
  const problem = document.createElement("div");
  problem.id = `${id}-problem`;
  problem.className = "kfut-problem";
  problem.setAttribute("role", "status");
  input.setAttribute("aria-describedby", problem.id);

  // With what is typed: changes of state may still wait for the kernel while this overtakes them.
  const say = (content) => model.send({ ...content, typed: input.value });
  const down = button("−", () => say({ step: -1 }));
  const up = button("+", () => say({ step: 1 }));
  line.append(down, input, up);
  el.append(label, line, chips, problem);

  function button(text, act, title) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "kfut-button";
    made.textContent = text;
    if (title) made.title = title;
    made.addEventListener("click", act);
    return made;
  }

  // At once, key by key: whoever clicks on Review a moment later means what stands here. The kernel waits for a pause.
  input.addEventListener("input", flush);
  input.addEventListener("change", flush);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    // JupyterLab has shortcuts of its own; what is typed into a field is meant for it.
    event.stopPropagation();
    if (event.key === "Enter") {
      flush();
      say({ enter: true });
    } else if (step && model.get("steps")) {
      event.preventDefault();
      flush();
      say({ step });
    }
  });

  function flush() {
    if (model.get("value") === input.value) return;
    model.set("value", input.value);
    model.save_changes();
  }

  const show = {
    label() {
      label.textContent = model.get("label");
      down.setAttribute("aria-label", `${model.get("label")}: one step down`);
      up.setAttribute("aria-label", `${model.get("label")}: one step up`);
    },
    value() {
      if (input.value !== model.get("value")) input.value = model.get("value");
    },
    placeholder: () => (input.placeholder = model.get("placeholder")),
    steps: () => [down, up].forEach((one) => (one.hidden = !model.get("steps"))),
    chips() {
      const had = chips.contains(document.activeElement) ? document.activeElement.dataset.chip : null;
      chips.replaceChildren(
        ...model.get("chips").map(([name, text, title]) => {
          const chip = button(text, () => say({ chip: name }), title);
          chip.dataset.chip = name;
          if (name === had) requestAnimationFrame(() => chip.focus());
          return chip;
        }),
      );
    },
    problem() {
      const [text, suggestion] = model.get("problem");
      input.setAttribute("aria-invalid", text ? "true" : "false");
      el.classList.toggle("kfut-wrong", Boolean(text));
      problem.textContent = text ? `✗ ${text} ` : "";
      if (text && suggestion) problem.append(button(`Use ${suggestion}`, () => say({ take: suggestion })));
    },
  };
  for (const [name, act] of Object.entries(show)) {
    act();
    model.on(`change:${name}`, act);
  }
}

export default { render };
