// The quote of a contract, its age, and the best levels of its book; a click on a price takes it into the order.
//
// Elements are updated in place, so that neither focus nor a click that is under way is lost. The age is counted here:
// it grows although nothing arrives, which is the point of it.

function render({ model, el }) {
  el.classList.add("kfut-market");
  const strip = element("div", "kfut-strip", el);
  const age = element("span", "kfut-age", null);
  const trouble = element("div", "kfut-trouble", el);
  trouble.setAttribute("role", "status");
  const ladder = element("div", "kfut-ladder", el);
  ladder.setAttribute("role", "group");
  ladder.setAttribute("aria-label", "Order book: a price is taken as the limit price");
  const figures = new Map();
  const rows = [];
  let arrived = performance.now();

  function element(tag, name, parent) {
    const made = document.createElement(tag);
    made.className = name;
    parent?.append(made);
    return made;
  }

  function put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function showFigures() {
    for (const [label, text] of model.get("figures")) {
      if (!figures.has(label)) {
        const box = element("span", "kfut-figure", strip);
        element("span", "kfut-label", box).textContent = label;
        figures.set(label, element("span", "kfut-value", box));
      }
      put(figures.get(label), text);
    }
    if (!age.parentElement || strip.lastElementChild !== age) strip.append(age);
  }

  function row() {
    const box = element("button", "kfut-level", ladder);
    box.type = "button";
    const made = { box, share: element("span", "kfut-share", box) };
    for (const name of ["side", "price", "size", "own"]) made[name] = element("span", `kfut-${name}`, box);
    box.addEventListener("click", () => model.send({ price: made.price.dataset.price }));
    rows.push(made);
    return made;
  }

  function showLevels() {
    const levels = model.get("levels");
    levels.forEach((level, index) => {
      const made = rows[index] ?? row();
      made.box.hidden = false;
      made.box.dataset.side = level.side;
      made.price.dataset.price = level.value;
      put(made.side, level.side);
      put(made.price, level.price);
      put(made.size, level.size);
      put(made.own, level.own ? `● ${level.own}` : "");
      made.share.style.width = `${level.share}%`;
      const own = level.own ? `, of which ${level.own} is yours` : "";
      made.box.setAttribute("aria-label", `${level.side} ${level.price}, size ${level.size}${own}: take as limit price`);
    });
    rows.slice(levels.length).forEach((made) => (made.box.hidden = true));
  }

  function showAge() {
    const seconds = Math.floor((performance.now() - arrived) / 1000);
    const old = seconds >= model.get("old");
    put(age, model.get("stamp") ? `${old ? "OLD: " : ""}${seconds < 2 ? "now" : `${seconds} s ago`}` : "");
    age.classList.toggle("kfut-is-old", old);
    el.classList.toggle("kfut-stale", old || Boolean(model.get("trouble")));
  }

  function update() {
    arrived = performance.now();
    showFigures();
    showLevels();
    showAge();
  }

  function showTrouble() {
    put(trouble, model.get("trouble") ? `✗ ${model.get("trouble")}` : "");
    showAge();
  }

  model.on("change:stamp", update);
  model.on("change:trouble", showTrouble);
  const clock = setInterval(showAge, 1000);
  update();
  showTrouble();
  return () => clearInterval(clock);
}

export default { render };
