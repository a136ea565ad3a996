import { box, button, element, setIcon } from "./elements.js";
import { ACTIVITIES } from "./texts.js";

/** @typedef {import("../sdk/call/call.js").Call} Call */

/** The avatar's face and what lies over it. */
export class Stage {
  video = element("video", HTMLVideoElement);
  #portrait = box("portrait");
  #poster = element("poster", HTMLImageElement);
  #ambient = element("ambient", HTMLImageElement);
  #activity = box("activity");
  #activityText = box("activity-text");
  #trouble = box("trouble");
  #controls = box("controls");
  #unblock = button("unblock");
  #mute = button("mute");

  constructor() {
    for (const image of [this.#poster, this.#ambient]) {
      image.addEventListener("load", () => (image.hidden = false));
      image.addEventListener("error", () => (image.hidden = true));
    }
  }

  /** @param {import("../sdk/avatars.js").Avatar} avatar */
  showPoster(avatar) {
    this.#poster.alt = avatar.name;
    for (const image of [this.#poster, this.#ambient]) {
      if (image.src !== avatar.picture) {
        image.hidden = true;
        image.src = avatar.picture;
      }
    }
  }

  /** @param {Call} call */
  calling(call) {
    this.#portrait.dataset.phase = "calling";
    call.addEventListener("activity", (event) => this.#showActivity(/** @type {CustomEvent} */ (event).detail));
    call.addEventListener("level", (event) => this.#showLevel(/** @type {CustomEvent} */ (event).detail));
    call.addEventListener("blocked", () => (this.#unblock.hidden = false));
    call.addEventListener("media", (event) => {
      const { detail: flowing } = /** @type {CustomEvent} */ (event);
      this.#trouble.textContent = flowing ? "" : "The connection is weak. Waiting for it to come back…";
    });
    call.addEventListener("microphonelost", () => this.showMicrophone(call));
    this.#unblock.onclick = async () => {
      await call.unblock();
      this.#unblock.hidden = true;
    };
  }

  /** @param {Call} call */
  live(call) {
    this.#portrait.dataset.phase = "live";
    this.#controls.hidden = false;
    this.#activity.hidden = false;
    this.showMicrophone(call);
  }

  /** Back to the still picture. */
  rest() {
    delete this.#portrait.dataset.phase;
    delete this.#portrait.dataset.activity;
    this.#controls.hidden = true;
    this.#activity.hidden = true;
    this.#unblock.hidden = true;
    this.#trouble.textContent = "";
    this.#showLevel(0);
  }

  /** @param {Call} call */
  showMicrophone(call) {
    const off = call.muted;
    const label = call.hasMicrophone ? (off ? "Unmute" : "Mute") : "Turn the microphone on";
    this.#mute.setAttribute("aria-label", label);
    this.#mute.title = label;
    this.#mute.dataset.off = String(off);
    setIcon(this.#mute, off ? "mic-off" : "mic");
    this.#showLevel(0);
  }

  /** @param {import("../sdk/dialogue.js").Activity} activity */
  #showActivity(activity) {
    this.#portrait.dataset.activity = activity;
    this.#activityText.textContent = ACTIVITIES[activity];
  }

  /** @param {number} level  root mean square, 0 … 1 */
  #showLevel(level) {
    // Speech lies between −50 and −10 dB of full scale.
    const decibels = level > 0 ? 20 * Math.log10(level) : -100;
    const part = Math.max(0, Math.min(1, (decibels + 50) / 40));
    this.#mute.style.setProperty("--level", part.toFixed(2));
  }
}
