import { box, element } from "./elements.js";

/** The steps in their order, with the part of the way that is behind when each begins. */
const PERCENT = Object.freeze({ microphone: 0, searching: 25, connecting: 60, connected: 100 });

/** After this many milliseconds in one step, the visitor is told what it waits for. */
const PATIENCE_MS = 4000;

/** @type {Readonly<Record<string, string>>} */
const HINTS = Object.freeze({
  microphone: "Your browser asks whether this page may use the microphone.",
  searching: "The server takes its time. It may be busy.",
  connecting: "Still looking for a way through the network.",
});

/** @type {ReturnType<typeof setTimeout> | undefined} */
let waiting;

/** @param {boolean} microphone  whether that step is part of this call */
export function beginProgress(microphone) {
  for (const item of steps()) {
    item.hidden = item.dataset.step === "microphone" && !microphone;
  }
  showStep("microphone");
}

/** @param {string} state  a `CallState` */
export function showStep(state) {
  clearTimeout(waiting);
  box("connecting-hint").textContent = "";
  if (!(state in PERCENT)) {
    return;
  }
  const order = Object.keys(PERCENT);
  for (const item of steps()) {
    const difference = order.indexOf(item.dataset.step ?? "") - order.indexOf(state);
    item.dataset.state = difference < 0 || state === "connected" ? "done" : difference === 0 ? "now" : "next";
    if (difference === 0) {
      item.setAttribute("aria-current", "step");
    } else {
      item.removeAttribute("aria-current");
    }
  }
  const percent = PERCENT[/** @type {keyof typeof PERCENT} */ (state)];
  const bar = box("bar");
  bar.setAttribute("aria-valuenow", String(percent));
  bar.style.setProperty("--part", String(percent / 100));
  waiting = setTimeout(() => (box("connecting-hint").textContent = HINTS[state] ?? ""), PATIENCE_MS);
}

/** @returns {HTMLLIElement[]} */
function steps() {
  return [...element("steps", HTMLOListElement).querySelectorAll("li")];
}
