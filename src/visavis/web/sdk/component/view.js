import { Message, Welcome } from "./cards.js";
import { Devices } from "./devices.js";
import { make } from "./dom.js";
import { Progress } from "./progress.js";
import { Stage } from "./stage.js";
import { Transcript } from "./transcript.js";
import { WORDS, fill } from "./words.js";

/** @typedef {"welcome" | "connecting" | "call" | "message"} ViewName */

/** All that the component shows, in one of four views. */
export class View {
  stage;
  welcome;
  progress;
  message;
  transcript;
  devices;
  element;
  #room;
  #panel;
  #callTitle = make("h2", { class: "unseen", id: "call-title", tabindex: "-1", hidden: true });
  #words;
  /** @type {ViewName} */
  #current = "welcome";

  /**
   * @param {import("./words.js").Words} words
   * @param {object} handlers
   * @param {(text: string) => void} handlers.onText
   * @param {() => void} handlers.onDevice
   */
  constructor(words, { onText, onDevice }) {
    this.#words = words;
    this.stage = new Stage(words);
    this.welcome = new Welcome(words);
    this.progress = new Progress(words);
    this.message = new Message(words);
    this.transcript = new Transcript(words, onText);
    this.devices = new Devices(words, onDevice);
    this.#panel = make(
      "div",
      { class: "panel", id: "panel", part: "panel" },
      this.welcome.element,
      this.progress.element,
      this.message.element,
      this.#callTitle,
      this.transcript.element,
    );
    this.#room = make("div", { class: "room", part: "room" }, this.stage.element, this.#panel);
    this.element = make("div", { class: "frame" }, this.#room, this.transcript.announcer, this.devices.element);
    this.#room.dataset.view = this.#current;
    if (words === WORDS) {
      // Whatever the page's language is; what an app says instead is taken to be in the page's.
      this.element.lang = "en";
    }
  }

  get current() {
    return this.#current;
  }

  /**
   * @param {object} options
   * @param {boolean} options.audioOnly
   * @param {boolean} options.captions
   * @param {boolean} options.camera  one may be turned on
   * @param {boolean} options.background  it may be chosen
   * @param {boolean} options.transparent  the page shines through
   * @param {string} options.language  of the conversation; "": unknown
   */
  set options({ audioOnly, captions, camera, background, transparent, language }) {
    this.transcript.language = language;
    this.stage.camera.hidden = !camera;
    this.devices.offered = { camera, background: background && !transparent && !audioOnly };
    this.#room.toggleAttribute("data-transparent", transparent && !audioOnly);
    this.#room.toggleAttribute("data-audio-only", audioOnly);
    this.#room.dataset.captions = captions ? "on" : "off";
  }

  /**
   * @param {ViewName} view
   * @param {object} [options]
   * @param {string} [options.name]  of the avatar
   * @param {boolean} [options.focus]  take the focus there, also where the visitor is elsewhere on the page
   */
  show(view, { name = "", focus = false } = {}) {
    const root = /** @type {ShadowRoot} */ (this.element.getRootNode());
    // Only the focus of someone who is in here is led on: an embedded part must not pull people out of their text.
    const led = focus || Boolean(root.activeElement);
    const { welcome, progress, message, transcript, stage } = this;
    this.#current = view;
    this.#room.dataset.view = view;
    welcome.element.hidden = view !== "welcome";
    progress.element.hidden = view !== "connecting";
    message.element.hidden = view !== "message";
    transcript.writable = view === "call";
    transcript.element.hidden = view !== "call" && transcript.empty;
    this.#callTitle.hidden = view !== "call";
    this.#callTitle.textContent = name ? fill(this.#words.inCall, { name }) : this.#words.inCallUnnamed;
    if (view !== "connecting") {
      progress.stop();
    }
    this.#panel.scrollTop = 0;
    transcript.scrollDown();
    if (led) {
      const targets = { welcome: welcome.title, connecting: progress.title, message: message.title, call: stage.mute };
      targets[view].focus({ preventScroll: true });
    }
  }
}
