import { icon, make } from "./dom.js";
import { fill } from "./words.js";

/** After this many milliseconds in one step, the visitor is told what it waits for. */
const PATIENCE_MS = 4000;

/** Steps to the avatar: a bar, a list and, in the queue, the visitor's place in it. */
export class Progress {
  #words;
  #title = make("h2", { id: "connecting-title", part: "title", tabindex: "-1" });
  #value = make("span", { class: "percent", "aria-hidden": "true" });
  #bar = make(
    "div",
    { class: "bar", id: "bar", part: "progress", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" },
    make("span", { part: "progress-value" }),
  );
  #steps;
  #hint = make("p", { class: "lead hint", id: "connecting-hint", part: "hint", role: "status" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #waiting;
  #position = 0;

  /** @param {import("./words.js").Words} words */
  constructor(words) {
    this.#words = words;
    const steps = [words.step1, words.step2, words.step3, words.step4];
    this.#steps = steps.map((text) => make("li", {}, icon("check"), make("span", {}, text)));
    this.#bar.setAttribute("aria-label", words.progress);
    this.cancel = make("button", { type: "button", class: "secondary", id: "cancel", part: "button" }, words.cancel);
    this.element = make(
      "section",
      { class: "card", id: "connecting", part: "card connecting", "aria-labelledby": "connecting-title", hidden: true },
      make("div", { class: "heading" }, this.#title, this.#value),
      this.#bar,
      make(
        "slot",
        { name: "loading" },
        make("ol", { class: "steps", id: "steps", part: "steps", "aria-live": "polite" }, ...this.#steps),
      ),
      this.#hint,
      make("div", { class: "actions" }, this.cancel),
    );
  }

  get title() {
    return this.#title;
  }

  /**
   * @param {string} name  of the avatar, or ""
   * @param {boolean} microphone  whether the browser is asked for it
   */
  begin(name, microphone) {
    const words = this.#words;
    this.#title.textContent = name ? fill(words.calling, { name }) : words.callingUnnamed;
    this.#show(0, 0, words.callingUnnamed);
    this.#hintLater(microphone ? words.microphoneHint : "");
  }

  /** @param {import("../visavis.js").ConnectionStateData} state */
  show({ currentStep, percentageLoaded, queuePosition }) {
    if (currentStep === 0) {
      return;
    }
    const words = this.#words;
    const text = [words.step1, words.step2, words.step3, words.step4][currentStep - 1];
    if (queuePosition) {
      const place = queuePosition === 1 ? words.next : fill(words.position, { position: queuePosition });
      this.#show(currentStep, percentageLoaded, place);
      this.#place(queuePosition, place);
      return;
    }
    this.#place(0, "");
    this.#show(currentStep, percentageLoaded, text);
    this.#hintLater([words.hint1, words.hint2, words.hint3][currentStep - 1] ?? "");
  }

  /** Nothing is awaited any more. */
  stop() {
    clearTimeout(this.#waiting);
    this.#place(0, "");
  }

  /**
   * The place in the queue, where the step's name stood; announced when it changes.
   *
   * @param {number} position
   * @param {string} text
   */
  #place(position, text) {
    clearTimeout(this.#waiting);
    this.element.toggleAttribute("data-queued", position > 0);
    if (position !== this.#position) {
      this.#position = position;
      const words = /** @type {HTMLElement} */ (this.#steps[0].lastElementChild);
      words.textContent = text || this.#words.step1;
      this.#hint.textContent = position > 0 ? this.#words.queueHint : "";
    }
  }

  /**
   * @param {number} step  1 … 4
   * @param {number} percent
   * @param {string} text
   */
  #show(step, percent, text) {
    for (const [index, item] of this.#steps.entries()) {
      const difference = index + 1 - step;
      item.dataset.state = difference < 0 || step === 4 ? "done" : difference === 0 ? "now" : "next";
      if (difference === 0) {
        item.setAttribute("aria-current", "step");
      } else {
        item.removeAttribute("aria-current");
      }
    }
    this.#value.textContent = `${percent} %`;
    this.#bar.setAttribute("aria-valuenow", String(percent));
    this.#bar.setAttribute("aria-valuetext", `${text}, ${percent} %`);
    this.#bar.style.setProperty("--part", String(percent / 100));
  }

  /** @param {string} text */
  #hintLater(text) {
    clearTimeout(this.#waiting);
    this.#hint.textContent = "";
    this.#waiting = setTimeout(() => (this.#hint.textContent = text), PATIENCE_MS);
  }
}
