import { icon, make } from "./dom.js";
import { explain } from "./explanations.js";
import { fill } from "./words.js";

/** @typedef {import("../visavis.js").Avatar} Avatar */
/** @typedef {Readonly<Partial<Record<string, import("./explanations.js").Explanation>>>} Explanations */

/**
 * Names may carry a maker's prefix ("maker.Lauren"), which is no name to call a face by.
 *
 * @param {string} name
 */
export function shortName(name) {
  return name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : name;
}

/** What stands before a call: an invitation, faces to choose from, the button. */
export class Welcome {
  #words;
  #title = make("h2", { id: "welcome-title", part: "title", tabindex: "-1" });
  #invitation = make("p", { class: "lead", id: "welcome-text", part: "text" });
  #callText = make("span", { id: "call-text", part: "call-text" });
  #faces = make("div", { class: "faces", id: "faces" });
  #chooser;
  #small;
  call;
  byText;

  /** @param {import("./words.js").Words} words */
  constructor(words) {
    this.#words = words;
    this.#chooser = make(
      "fieldset",
      { class: "chooser", id: "chooser", part: "chooser", hidden: true },
      make("legend", {}, words.chooser),
      this.#faces,
    );
    this.call = make(
      "button",
      { type: "button", class: "primary", id: "call", part: "button call" },
      icon("phone", { solid: true }),
      make("slot", { name: "call" }, this.#callText),
    );
    this.byText = make("button", { type: "button", class: "quiet", id: "call-by-text", part: "button" }, words.byText);
    this.#small = make("p", { class: "small", part: "small" }, make("slot", { name: "note" }, words.madeByComputer));
    this.element = make(
      "section",
      { class: "card", id: "welcome", part: "card welcome", "aria-labelledby": "welcome-title" },
      make("slot", { name: "welcome" }, this.#title, this.#invitation),
      this.#chooser,
      make("div", { class: "actions" }, this.call, this.byText),
      this.#small,
    );
  }

  get title() {
    return this.#title;
  }

  /**
   * @param {object} state
   * @param {string} state.name  the avatar's, or ""
   * @param {boolean} state.called  there was a call already
   * @param {boolean} state.microphone  whether calls are spoken
   * @param {string} [state.title]  instead of the usual one
   */
  show({ name, called, microphone, title }) {
    const words = this.#words;
    this.#title.textContent = title ?? (name ? fill(words.welcome, { name }) : words.welcomeUnnamed);
    this.#callText.textContent = called ? words.callAgain : words.call;
    this.#invitation.textContent = microphone ? words.invitation : words.invitationByText;
    this.#invitation.hidden = called;
    this.byText.hidden = !microphone;
    this.#reveal();
  }

  /**
   * Show the avatars to choose from; nothing to choose when there is one.
   *
   * @param {readonly Avatar[]} avatars
   * @param {string} chosen  its id
   * @param {(avatar: Avatar) => void} onChoose
   */
  offer(avatars, chosen, onChoose) {
    this.#chooser.hidden = avatars.length < 2;
    this.#faces.replaceChildren(
      ...avatars.map((avatar) => {
        const radio = make("input", { type: "radio", name: "avatar", value: avatar.id });
        radio.checked = avatar.id === chosen;
        radio.addEventListener("change", () => onChoose(avatar));
        const picture = make("img", { src: avatar.thumbnail, alt: "" });
        return make("label", { class: "face" }, radio, picture, make("span", {}, shortName(avatar.name)));
      }),
    );
    this.#reveal();
  }

  /** Of many faces, let the chosen one be among those that are seen. Nothing but their own row is scrolled. */
  #reveal() {
    const chosen = this.#faces.querySelector("input:checked")?.parentElement;
    if (chosen) {
      const row = this.#faces;
      row.scrollLeft = chosen.offsetLeft - row.offsetLeft - (row.clientWidth - chosen.clientWidth) / 2;
      row.scrollTop = chosen.offsetTop - row.offsetTop - (row.clientHeight - chosen.clientHeight) / 2;
    }
  }
}

/** What went wrong, or how a call ended, and the ways on. */
export class Message {
  #words;
  #title = make("h2", { id: "message-title", part: "title", tabindex: "-1" });
  #text = make("p", { class: "lead", id: "message-text", part: "text" });
  #detail = make("p", { class: "small", id: "message-detail", part: "small" });
  retry;
  byText;
  back;

  /** @param {import("./words.js").Words} words */
  constructor(words) {
    this.#words = words;
    this.retry = make("button", { type: "button", class: "primary", id: "retry", part: "button" }, words.retry);
    this.byText = make("button", { type: "button", class: "secondary", id: "go-by-text", part: "button" }, words.goByText);
    this.back = make("button", { type: "button", class: "quiet", id: "back", part: "button" }, words.back);
    this.element = make(
      "section",
      { class: "card", id: "message", part: "card message", "aria-labelledby": "message-title", hidden: true },
      make("div", { role: "alert" }, this.#title, this.#text, this.#detail),
      make("slot", { name: "error" }),
      make("div", { class: "actions" }, this.retry, this.byText, this.back),
    );
  }

  get title() {
    return this.#title;
  }

  /**
   * @param {{code: import("../visavis.js").Code, message: string}} error
   * @param {object} options
   * @param {string} options.name  the avatar's
   * @param {Explanations} options.explanations  an app's own
   */
  show({ code, message }, { name, explanations }) {
    const { title, text, retry, byText, detail, calm } = explain(code, explanations);
    this.#title.textContent = fill(title, { name });
    this.#text.textContent = fill(text, { name });
    this.#detail.textContent = detail ? message : "";
    this.retry.textContent = calm ? this.#words.callAgain : this.#words.retry;
    this.retry.hidden = !retry;
    this.byText.hidden = !byText;
    this.back.className = retry || byText ? "quiet" : "primary";
  }
}
