/**
 * Something to listen to. What a listener throws is reported to the page as an uncaught error, and hinders no other.
 *
 * @template {unknown[]} Arguments
 */
export class SceneEvent {
  /** @type {Set<(...args: Arguments) => void>} */
  #listeners = new Set();

  /** @param {(...args: Arguments) => void} listener */
  addListener(listener) {
    this.#listeners.add(listener);
  }

  /** @param {(...args: Arguments) => void} listener */
  removeListener(listener) {
    this.#listeners.delete(listener);
  }

  /** @param {Arguments} args */
  tell(...args) {
    for (const listener of [...this.#listeners]) {
      try {
        listener(...args);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
