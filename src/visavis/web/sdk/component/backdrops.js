import { make } from "./dom.js";
import { keep, recall } from "./storage.js";

const BACKGROUND = "visavis.background";

/** What can be chosen, and the word for it. */
const CHOICES = Object.freeze(
  /** @type {const} */ ([
    ["own", "backgroundOwn"],
    ["blur", "backgroundBlur"],
    ["#dde5e8", "backgroundMist"],
    ["#e6d8c4", "backgroundSand"],
    ["#2f6f6f", "backgroundTeal"],
    ["#22384f", "backgroundNight"],
  ]),
);

/** Lets the visitor choose what lies behind the avatar. The choice is kept for the next visit. */
export class Backdrops {
  element;

  /**
   * @param {import("./words.js").Words} words
   * @param {(background: string) => void} onChoose
   */
  constructor(words, onChoose) {
    const chosen = this.chosen || "own";
    this.element = make(
      "fieldset",
      { class: "backdrops", id: "backdrops", part: "backdrops", hidden: true },
      make("legend", {}, words.background),
      ...CHOICES.map(([background, word]) => {
        const radio = make("input", { type: "radio", name: "background", value: background, "aria-label": words[word] });
        radio.checked = background === chosen;
        radio.addEventListener("change", () => {
          keep(BACKGROUND, background, { lasting: true });
          onChoose(background);
        });
        const plain = !background.startsWith("#");
        const swatch = make("span", { class: "swatch", "aria-hidden": "true" }, ...(plain ? [words[word]] : []));
        if (!plain) {
          swatch.style.backgroundColor = background;
        }
        return make("label", { class: plain ? "backdrop" : "backdrop colour", title: words[word] }, radio, swatch);
      }),
    );
  }

  /** What was chosen, now or on an earlier visit; "": nothing. */
  get chosen() {
    const kept = recall(BACKGROUND, { lasting: true }) ?? "";
    return CHOICES.some(([background]) => background === kept) ? kept : "";
  }
}
