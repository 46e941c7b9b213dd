// A button that belongs to one review, and that says how long it had been shown when it was clicked.
//
// The kernel knows when it made the button; the difference is how long the click was under way. Only spans of time are
// compared, so the clocks of browser and kernel may differ.

function render({ model, el }) {
  const shown = performance.now();
  el.classList.add("kfut-send");
  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => model.send({ shown: (performance.now() - shown) / 1000 }));
  el.append(button);

  function update() {
    const style = model.get("button_style");
    button.className = `jupyter-button widget-button ${style ? `mod-${style}` : ""}`;
    button.textContent = model.get("description");
    button.title = model.get("tooltip");
    button.disabled = model.get("disabled");
  }

  for (const name of ["description", "tooltip", "disabled", "button_style"]) model.on(`change:${name}`, update);
  update();
}

export default { render };
