/** How many texts are remembered; older ones are forgotten first. */
const LIMIT = 50;

/** What the user said and typed, kept while the page is open, so that a second call knows of the first. */
export class History {
  /** @type {Map<string, string[]>} */
  #texts = new Map();

  /**
   * @param {string} avatar  an avatar's id or name: each has a history of its own
   * @param {string} text
   */
  add(avatar, text) {
    const texts = this.#texts.get(avatar) ?? [];
    texts.push(text);
    this.#texts.set(avatar, texts.slice(-LIMIT));
  }

  /**
   * @param {string} avatar
   * @returns {readonly string[]}  oldest first
   */
  of(avatar) {
    return this.#texts.get(avatar) ?? [];
  }
}
