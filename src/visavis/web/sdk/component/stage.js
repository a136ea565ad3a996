import { icon, make, setIcon, setLabel } from "./dom.js";
import { fill } from "./words.js";

/** @typedef {import("../visavis.js").Scene} Scene */

/** The avatar's face and what lies over it: its activity, the controls, and what is wrong. */
export class Stage {
  video = make("video", { class: "live", id: "video", part: "video", playsinline: true });
  /** Where a transparent avatar is seen. */
  canvas = make("canvas", { class: "live", id: "canvas", part: "canvas", role: "presentation" });
  mute = make("button", { type: "button", class: "round", id: "mute", part: "button mute" }, icon("mic"));
  hangUp = make(
    "button",
    { type: "button", class: "round danger", id: "hang-up", part: "button hang-up" },
    icon("hang-up", { solid: true }),
  );
  settings = make("button", { type: "button", class: "round", id: "controls-settings", part: "button" }, icon("settings"));
  camera = make(
    "button",
    { type: "button", class: "round", id: "camera", part: "button camera", hidden: true },
    icon("camera-off"),
  );
  unblock = make(
    "button",
    { type: "button", class: "unblock", id: "unblock", part: "button unblock", hidden: true },
    icon("sound"),
  );
  stillHere = make("button", { type: "button", class: "primary", id: "still-here", part: "button" });
  #words;
  #nobody = icon("person", { solid: true, className: "nobody" });
  #poster = make("img", { class: "poster", id: "poster", part: "poster", alt: "", hidden: true });
  #ambient = make("img", { class: "ambient", id: "ambient", alt: "", hidden: true });
  #self = make("video", { class: "self", id: "self", part: "self-view", playsinline: true, hidden: true });
  #activityText = make("span", { id: "activity-text" });
  #activity;
  #trouble = make("p", { class: "trouble", id: "trouble", part: "notice", role: "status" });
  #expiring;
  #expiringTitle = make("p", { class: "expiring-title", id: "expiring-title" });
  #expiringText = make("p", { id: "expiring-text" });
  #controls;
  #portrait;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #countdown;

  /** @param {import("./words.js").Words} words */
  constructor(words) {
    this.#words = words;
    this.#self.muted = true;
    setLabel(this.hangUp, words.hangUp);
    setLabel(this.settings, words.settingsButton);
    this.#self.setAttribute("aria-label", words.selfView);
    this.unblock.append(words.tapToHear);
    this.stillHere.append(words.stillHere);
    const pulse = make("span", { class: "pulse", "aria-hidden": "true" }, make("i"), make("i"), make("i"));
    this.#activity = make("p", { class: "activity", id: "activity", part: "activity", hidden: true }, pulse);
    this.#activity.append(this.#activityText);
    this.mute.append(make("span", { class: "level", "aria-hidden": "true" }));
    this.#controls = make(
      "div",
      { class: "controls", id: "controls", part: "controls", role: "group", "aria-label": words.controls, hidden: true },
      this.mute,
      this.camera,
      this.hangUp,
      make("slot", { name: "controls" }),
      this.settings,
    );
    this.#expiring = make(
      "div",
      { class: "expiring", id: "expiring", part: "expiring", role: "group", "aria-labelledby": "expiring-title", hidden: true },
      this.#expiringTitle,
      this.#expiringText,
      this.stillHere,
    );
    this.#expiring.setAttribute("aria-describedby", "expiring-text");
    this.#portrait = make(
      "div",
      { class: "portrait", id: "portrait", part: "portrait" },
      this.#nobody,
      make("slot", { name: "poster" }, this.#poster),
      this.video,
      this.canvas,
      this.#self,
      make("p", { class: "badge", part: "badge" }, words.badge),
      this.#activity,
      this.#trouble,
      this.unblock,
      this.#expiring,
      this.#controls,
    );
    this.element = make("section", { class: "stage", part: "stage", "aria-label": words.stage }, this.#ambient, this.#portrait);
    for (const image of [this.#poster, this.#ambient]) {
      image.addEventListener("load", () => (image.hidden = false));
      image.addEventListener("error", () => (image.hidden = true));
    }
  }

  /**
   * @param {string} address  of a still picture, or ""
   * @param {string} name
   */
  showPoster(address, name) {
    this.#poster.alt = name;
    for (const image of [this.#poster, this.#ambient]) {
      if (address === "") {
        image.hidden = true;
        image.removeAttribute("src");
      } else if (image.getAttribute("src") !== address) {
        image.hidden = true;
        image.src = address;
      }
    }
  }

  calling() {
    this.#portrait.dataset.phase = "calling";
  }

  live() {
    this.#portrait.dataset.phase = "live";
    this.#controls.hidden = false;
    this.#activity.hidden = false;
  }

  /** Back to the still picture. */
  rest() {
    delete this.#portrait.dataset.phase;
    delete this.#portrait.dataset.activity;
    this.#controls.hidden = true;
    this.#activity.hidden = true;
    this.unblock.hidden = true;
    this.showTrouble("");
    this.expire(0);
    this.showLevel(0);
    this.#showSelf(null);
  }

  /** @param {string} text  "": nothing is wrong any more */
  showTrouble(text) {
    this.#trouble.textContent = text;
  }

  /**
   * The call is about to end.
   *
   * @param {number} seconds  until then; 0: it is not
   * @param {boolean} [preventable]  when the visitor does something
   * @returns {string}  what is shown, for those who do not see it
   */
  expire(seconds, preventable = true) {
    clearInterval(this.#countdown);
    this.#expiring.hidden = seconds <= 0;
    this.stillHere.hidden = !preventable;
    this.#expiring.toggleAttribute("data-certain", !preventable);
    this.#expiringTitle.textContent = preventable ? this.#words.expiringTitle : this.#words.endingTitle;
    if (seconds > 0) {
      const end = performance.now() + seconds * 1000;
      const tell = () => {
        const left = Math.max(0, Math.round((end - performance.now()) / 1000));
        this.#expiringText.textContent = fill(this.#words.expiring, { seconds: left });
      };
      tell();
      this.#countdown = setInterval(tell, 1000);
    }
    return `${this.#expiringTitle.textContent} ${this.#expiringText.textContent}`;
  }

  /** The visitor has done something: an end for want of that is off. */
  attend() {
    if (!this.stillHere.hidden) {
      this.expire(0);
    }
  }

  /** @param {Scene} scene */
  showDevices(scene) {
    const { microphoneOn, cameraOn, cameraStream } = scene;
    const words = this.#words;
    setLabel(this.mute, microphoneOn ? words.mute : scene.microphoneId ? words.unmute : words.microphoneOn);
    this.mute.dataset.off = String(!microphoneOn);
    setIcon(this.mute, microphoneOn ? "mic" : "mic-off");
    setLabel(this.camera, cameraOn ? words.cameraOff : words.cameraOn);
    this.camera.dataset.off = String(!cameraOn);
    setIcon(this.camera, cameraOn ? "camera" : "camera-off");
    this.#showSelf(cameraOn ? cameraStream : null);
    this.showLevel(0);
  }

  /** @param {import("../visavis.js").Activity} activity */
  showActivity(activity) {
    this.#portrait.dataset.activity = activity;
    this.#activityText.textContent = this.#words[activity];
  }

  /** @param {number} level  root mean square, 0 … 1 */
  showLevel(level) {
    // Speech lies between −50 and −10 dB of full scale.
    const decibels = level > 0 ? 20 * Math.log10(level) : -100;
    const part = Math.max(0, Math.min(1, (decibels + 50) / 40));
    this.mute.style.setProperty("--level", part.toFixed(2));
  }

  /** @param {MediaStream | null} stream */
  #showSelf(stream) {
    this.#self.hidden = stream === null;
    if (this.#self.srcObject !== stream) {
      this.#self.srcObject = stream;
      if (stream) {
        // Muted, so no browser holds it back; "AbortError" where the camera went off at once.
        this.#self.play().catch(() => undefined);
      }
    }
  }
}
