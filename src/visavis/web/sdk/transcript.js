/** @typedef {{role: "user" | "assistant", content: string}} HistoryItem */

/** What both sides have said, oldest first. */
export class Transcript {
  /** @type {readonly HistoryItem[]} */
  #items;

  /** @param {readonly HistoryItem[]} items  said before */
  constructor(items) {
    this.#items = Object.freeze([...items]);
  }

  get items() {
    return this.#items;
  }

  /** @param {import("./captions.js").Caption} caption  only what was said to its end is taken */
  add({ side, text, state }) {
    if (state === "final" && text) {
      this.#items = Object.freeze([...this.#items, { role: side === "user" ? "user" : "assistant", content: text }]);
    }
  }

  /** @param {unknown} items  as the server remembers them */
  restore(items) {
    const entries = Array.isArray(items) ? items : [];
    this.#items = Object.freeze(entries.map(itemOf));
  }
}

/** @param {{role: unknown, content: unknown}} entry @returns {HistoryItem} */
function itemOf({ role, content }) {
  return { role: role === "user" ? "user" : "assistant", content: String(content) };
}
