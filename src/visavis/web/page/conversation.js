import { box, element } from "./elements.js";

/** @typedef {import("../sdk/captions.js").Caption} Caption */

/** The captions of both sides, newest at the bottom, over all calls of the page. */
export class Conversation {
  #lines = element("lines", HTMLOListElement);
  #announcer = box("announcer");
  /** Lines that may still change. @type {Map<string, HTMLLIElement>} */
  #open = new Map();
  #avatar = "";
  /** Whether the next line belongs to another call than the one above it. */
  #fresh = false;

  get empty() {
    return this.#lines.childElementCount === 0;
  }

  /** @param {string} avatar  who speaks on the other side from here on */
  begin(avatar) {
    this.#avatar = avatar;
    this.#open.clear();
    this.#fresh = !this.empty;
  }

  /** Bring the newest line into sight. */
  scrollDown() {
    this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  /** @param {Caption} caption */
  show({ side, id, text, state }) {
    const known = this.#open.get(id);
    if (state === "final" && text === "") {
      known?.remove();
      this.#open.delete(id);
      return;
    }
    const line = known ?? this.#line(side, id);
    line.dataset.state = state;
    const words = /** @type {HTMLElement} */ (line.lastElementChild);
    if (state !== "pending") {
      words.textContent = text;
    }
    if (state === "final") {
      this.#open.delete(id);
      if (side === "avatar") {
        this.#announce(`${this.#avatar}: ${text}`);
      }
    }
    this.#follow();
  }

  /**
   * Something that neither side said.
   *
   * @param {string} text
   */
  note(text) {
    const line = document.createElement("li");
    line.className = "note";
    line.textContent = text;
    this.#append(line);
    this.#announce(text);
  }

  /**
   * @param {Caption["side"]} side
   * @param {string} id
   */
  #line(side, id) {
    const line = document.createElement("li");
    line.className = `line ${side}`;
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = side === "user" ? "You" : this.#avatar;
    const words = document.createElement("p");
    words.className = "words";
    // Shown until there are words.
    words.append(...Array.from({ length: 3 }, () => document.createElement("i")));
    line.append(who, words);
    this.#open.set(id, line);
    this.#append(line);
    return line;
  }

  /** @param {HTMLLIElement} line */
  #append(line) {
    if (this.#fresh) {
      this.#fresh = false;
      const divider = document.createElement("li");
      divider.className = "divider";
      divider.textContent = `New call with ${this.#avatar}`;
      this.#lines.append(divider);
    }
    this.#lines.append(line);
    this.#follow(true);
  }

  /** Whole sentences only: a screen reader would stumble over every increment. @param {string} text */
  #announce(text) {
    const said = document.createElement("p");
    said.textContent = text;
    this.#announcer.replaceChildren(said);
  }

  /** Keep the newest line in sight, unless the visitor has scrolled up to read. */
  #follow(fresh = false) {
    const lines = this.#lines;
    const distance = lines.scrollHeight - lines.scrollTop - lines.clientHeight;
    if (distance < (fresh ? 240 : 120)) {
      lines.scrollTop = lines.scrollHeight;
    }
  }
}
