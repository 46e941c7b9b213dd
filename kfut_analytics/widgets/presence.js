// Tells the kernel whether somebody looks, and the page whether the kernel lives.
//
// The page says "here" when it appears, when its visibility changes and every few seconds; the kernel answers, and
// sends signs of life by itself as long as it believes that a page is there, also while a cell keeps it busy. Without
// them nothing that is shown counts any more: the style sheet hides everything beside this element unless its
// data-state is "connected" or "checking".

const BEAT = { visible: 10_000, hidden: 45_000 };
const SILENCE = 8_000; // without a sign of life: the connection is lost
const FIRST = 5_000; // without a first one: there is no kernel, this is a saved notebook

const TEXTS = {
  waiting: (what) => `Connecting this ${what} to its kernel…`,
  saved: (what) => `Not connected. What this ${what} showed is past; run its cell again to see the present.`,
  lost: (what) =>
    `Not connected: the kernel does not answer. It may be busy, restarted or gone. ` +
    `If this stays, run the cell of this ${what} again.`,
};

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  const text = document.createElement("div");
  text.className = "kfut-offline";
  text.setAttribute("role", "status");
  el.classList.add("kfut-presence");
  el.append(text);

  let onScreen = false;
  let heard = 0; // when the kernel last gave a sign of life
  let asked = Date.now(); // since when an answer is waited for, 0 if none is
  let beat;

  const visible = () => onScreen && document.visibilityState === "visible";

  function say(content) {
    try {
      model.send({ view, ...content });
    } catch {
      // Without a kernel there is nobody to tell, which the silence shows.
    }
  }

  function here() {
    clearTimeout(beat);
    beat = setTimeout(here, visible() ? BEAT.visible : BEAT.hidden);
    say({ visible: visible() });
  }

  function look() {
    const now = Date.now();
    let state = "connected";
    if (asked && now - asked > FIRST) state = heard ? "lost" : "saved";
    else if (asked) state = heard ? "checking" : "waiting";
    else if (visible() && now - heard > SILENCE) state = "lost";
    if (el.dataset.state === state) return;
    el.dataset.state = state;
    text.textContent = state in TEXTS ? TEXTS[state](model.get("what")) : "";
  }

  function changed() {
    // Signs of life may have been held back while nobody looked: ask again before believing what is shown.
    if (visible() && !asked && Date.now() - heard > SILENCE) asked = Date.now();
    here();
    look();
  }

  function alive() {
    heard = Date.now();
    asked = 0;
    look();
  }

  model.on("msg:custom", alive);
  document.addEventListener("visibilitychange", changed);
  const leaving = () => say({ gone: true });
  window.addEventListener("pagehide", leaving);
  const clock = setInterval(look, 1_000);
  // What surrounds this element is what somebody looks at; this element itself takes no room.
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries[entries.length - 1].isIntersecting;
    changed();
  });
  const observe = requestAnimationFrame(() => observer.observe(el.parentElement ?? el));
  look();
  here();

  return () => {
    cancelAnimationFrame(observe);
    observer.disconnect();
    clearInterval(clock);
    clearTimeout(beat);
    document.removeEventListener("visibilitychange", changed);
    window.removeEventListener("pagehide", leaving);
    leaving();
  };
}

export default { render };
