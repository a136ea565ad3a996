/**
 * What one side says. Several come for the same `id`: `pending` (someone began to speak), `partial` (so far), and one
 * `final`, whose text is empty when nothing was understood or heard.
 *
 * @typedef {{side: "user" | "avatar", id: string, text: string, state: "pending" | "partial" | "final"}} Caption
 */

/** Makes captions of the server's events. */
export class Captions {
  #tell;
  #count = 0;
  /** The user's turns that began and have no text yet, oldest first. @type {string[]} */
  #awaited = [];
  /** Answers under way: id → the words so far. @type {Map<string, string>} */
  #answers = new Map();

  /** @param {(caption: Caption) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  speechStarted() {
    const id = this.#nextId();
    this.#awaited.push(id);
    this.#tell({ side: "user", id, text: "", state: "pending" });
  }

  /** @param {string} text */
  userSaid(text) {
    this.#tell({ side: "user", id: this.#awaited.shift() ?? this.#nextId(), text, state: "final" });
  }

  /** @param {string} text */
  userTyped(text) {
    this.#tell({ side: "user", id: this.#nextId(), text, state: "final" });
  }

  /**
   * @param {string} id
   * @param {string} increment
   */
  answerGrew(id, increment) {
    const text = (this.#answers.get(id) ?? "") + increment;
    this.#answers.set(id, text);
    this.#tell({ side: "avatar", id, text, state: "partial" });
  }

  /**
   * @param {string} id
   * @param {string} text  all that was heard
   */
  answerDone(id, text) {
    this.#answers.delete(id);
    this.#tell({ side: "avatar", id, text, state: "final" });
  }

  /** Whatever is under way stays as it is. */
  end() {
    for (const id of this.#awaited.splice(0)) {
      this.#tell({ side: "user", id, text: "", state: "final" });
    }
    for (const [id, text] of [...this.#answers]) {
      this.answerDone(id, text);
    }
  }

  #nextId() {
    this.#count += 1;
    return `user-${this.#count}`;
  }
}
