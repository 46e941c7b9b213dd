// One of a few, each a button; which one it is, is told to assistive technology as well.

function render({ model, el }) {
  el.classList.add("kfut-toggle");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", model.get("label"));
  const label = document.createElement("span");
  label.textContent = model.get("label");
  label.setAttribute("aria-hidden", "true");
  el.append(label);

  const buttons = model.get("options").map(([value, text, title]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text, title, value });
    button.addEventListener("click", () => {
      model.set("value", value);
      model.save_changes();
    });
    el.append(button);
    return button;
  });

  function update() {
    for (const button of buttons) {
      const chosen = button.value === model.get("value");
      button.className = `widget-toggle-button jupyter-button ${chosen ? "mod-active" : ""}`;
      button.setAttribute("aria-pressed", String(chosen));
    }
  }

  model.on("change:value", update);
  update();
}

export default { render };
