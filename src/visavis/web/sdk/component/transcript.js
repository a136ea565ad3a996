import { icon, make, setLabel } from "./dom.js";
import { fill } from "./words.js";

/** @typedef {import("../visavis.js").Caption} Caption */

/** The captions of both sides, newest at the bottom, over all calls, and the field to write in. */
export class Transcript {
  #words;
  #lines;
  #announcer = make("div", { class: "unseen", id: "announcer", "aria-live": "polite" });
  #field = make("input", {
    id: "text",
    part: "field",
    type: "text",
    autocomplete: "off",
    enterkeyhint: "send",
    maxlength: "2000",
  });
  #form;
  /** Lines that may still change. @type {Map<string, HTMLLIElement>} */
  #open = new Map();
  #avatar = "";
  /** Whether the next line belongs to another call than the one above it. */
  #fresh = false;

  /**
   * @param {import("./words.js").Words} words
   * @param {(text: string) => void} onText  the visitor has written something
   */
  constructor(words, onText) {
    this.#words = words;
    this.#lines = make("ol", { class: "lines", id: "lines", part: "transcript", tabindex: "0" });
    this.#lines.setAttribute("aria-label", words.transcript);
    this.#lines.dataset.empty = words.nothingSaid;
    this.#field.placeholder = words.placeholder;
    const send = make("button", { type: "submit", class: "send", part: "send" }, icon("send"));
    setLabel(send, words.send);
    this.#form = make(
      "form",
      { class: "composer", id: "composer", part: "composer", hidden: true },
      make("label", { class: "unseen", for: "text" }, words.write),
      this.#field,
      send,
    );
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#field.value.trim();
      if (text) {
        onText(text);
        this.#field.value = "";
      }
    });
    this.element = make(
      "section",
      { class: "conversation", id: "conversation", part: "conversation", "aria-label": words.conversation, hidden: true },
      this.#lines,
      this.#form,
    );
  }

  get announcer() {
    return this.#announcer;
  }

  get empty() {
    return this.#lines.childElementCount === 0;
  }

  /** Of what is said, so that screen readers speak it as they should; "": unknown. @param {string} language */
  set language(language) {
    this.#lines.lang = language;
    this.#announcer.lang = language;
    this.#field.lang = language;
  }

  /** @param {boolean} possible */
  set writable(possible) {
    this.#form.hidden = !possible;
  }

  /** @param {string} avatar  who speaks on the other side from here on */
  begin(avatar) {
    this.#avatar = avatar;
    this.#open.clear();
    this.#fresh = !this.empty;
  }

  /**
   * An earlier conversation goes on: what was said before takes the place of what is shown.
   *
   * @param {readonly import("../visavis.js").HistoryItem[]} history
   * @param {string} [divider]  said between what was before and what comes
   */
  restore(history, divider = "") {
    this.#open.clear();
    this.#fresh = false;
    this.#lines.replaceChildren();
    for (const { role, content } of history) {
      const line = this.#line(role === "user" ? "user" : "avatar");
      line.dataset.state = "final";
      /** @type {HTMLElement} */ (line.lastElementChild).textContent = content;
    }
    if (divider && history.length > 0) {
      this.#lines.append(this.#divider(divider));
    }
    this.scrollDown();
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
    const line = known ?? this.#line(side);
    this.#open.set(id, line);
    line.dataset.state = state;
    if (state !== "pending") {
      /** @type {HTMLElement} */ (line.lastElementChild).textContent = text;
    }
    if (state === "final") {
      this.#open.delete(id);
      if (side === "avatar") {
        this.announce(this.#avatar ? `${this.#avatar}: ${text}` : text);
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
    this.#append(make("li", { class: "note", part: "note" }, text));
    this.announce(text);
  }

  /** Whole sentences only: a screen reader would stumble over every increment. @param {string} text */
  announce(text) {
    this.#announcer.replaceChildren(make("p", {}, text));
  }

  /** @param {Caption["side"]} side */
  #line(side) {
    // The dots are shown until there are words.
    const dots = Array.from({ length: 3 }, () => make("i"));
    const line = make(
      "li",
      { class: `line ${side}`, part: `line ${side}-line` },
      make("span", { class: "who" }, side === "user" ? this.#words.you : this.#avatar || this.#words.badge),
      make("p", { class: "words" }, ...dots),
    );
    this.#append(line);
    return line;
  }

  /** @param {HTMLLIElement} line */
  #append(line) {
    if (this.#fresh) {
      this.#fresh = false;
      const { newCall, newCallUnnamed } = this.#words;
      this.#lines.append(this.#divider(this.#avatar ? fill(newCall, { name: this.#avatar }) : newCallUnnamed));
    }
    this.#lines.append(line);
    this.#follow(true);
  }

  /** @param {string} text */
  #divider(text) {
    return make("li", { class: "divider" }, text);
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
