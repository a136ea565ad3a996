import { Backdrops } from "./backdrops.js";
import { make } from "./dom.js";
import { keep, recall } from "./storage.js";
import { fill } from "./words.js";

/** @typedef {import("../visavis.js").Scene} Scene */

const VOLUME = "visavis.volume";
const MICROPHONE = "visavis.microphone";
const CAMERA = "visavis.camera";
const SPEAKER = "visavis.speaker";

/** The dialog in which devices, volume and background are chosen. The choices are kept for the next visit. */
export class Devices {
  #words;
  #microphones = make("select", { id: "microphone-choice", part: "field" });
  #speakers = make("select", { id: "speaker-choice", part: "field" });
  #cameras = make("select", { id: "camera-choice", part: "field" });
  #cameraRow;
  #volume = make("input", { id: "volume", type: "range", min: "0", max: "100", step: "1" });
  #note = make("p", { class: "small", id: "settings-note", role: "status" });
  #title = make("h2", { id: "settings-title" });
  #onChange;
  #backdrops;
  #offered = { camera: false, background: false };
  /** @type {Scene | null} */
  #scene = null;
  #abort = new AbortController();

  /**
   * @param {import("./words.js").Words} words
   * @param {() => void} onChange  another device is in use
   */
  constructor(words, onChange) {
    this.#words = words;
    this.#onChange = onChange;
    this.#backdrops = new Backdrops(words, (background) => {
      void this.#scene?.setBackground(background);
    });
    this.#cameraRow = make("div", { hidden: true }, make("label", { for: "camera-choice" }, words.camera), this.#cameras);
    const speakerRow = make("div", {}, make("label", { for: "speaker-choice" }, words.loudspeaker), this.#speakers);
    speakerRow.hidden = !("setSinkId" in HTMLMediaElement.prototype);
    this.element = make(
      "dialog",
      { class: "settings", id: "settings", part: "dialog", "aria-labelledby": "settings-title" },
      make(
        "form",
        { method: "dialog" },
        this.#title,
        make("label", { for: "microphone-choice" }, words.microphone),
        this.#microphones,
        speakerRow,
        this.#cameraRow,
        make("label", { for: "volume" }, words.volume),
        this.#volume,
        this.#backdrops.element,
        this.#note,
        make("button", { type: "submit", class: "primary", part: "button" }, words.done),
      ),
    );
    this.#volume.value = recall(VOLUME, { lasting: true }) ?? "100";
    this.#volume.addEventListener("input", () => this.#setVolume());
    this.#microphones.addEventListener("change", () => {
      keep(MICROPHONE, this.#microphones.value, { lasting: true });
      void this.#change((scene) => scene.chooseMicrophone(this.#microphones.value), words.deviceFails);
    });
    this.#cameras.addEventListener("change", () => {
      keep(CAMERA, this.#cameras.value, { lasting: true });
      void this.#change((scene) => scene.chooseCamera(this.#cameras.value), words.deviceFails);
    });
    this.#speakers.addEventListener("change", () => {
      keep(SPEAKER, this.#speakers.value, { lasting: true });
      void this.#change((scene) => scene.chooseSpeaker(this.#speakers.value), words.loudspeakerFails);
    });
  }

  /** What was chosen on an earlier visit. */
  get chosen() {
    return {
      microphoneId: recall(MICROPHONE, { lasting: true }) || undefined,
      cameraId: recall(CAMERA, { lasting: true }) || undefined,
    };
  }

  /** What lies behind the avatar by the visitor's choice; "": none was made, or none is offered. */
  get background() {
    return this.#offered.background ? this.#backdrops.chosen : "";
  }

  /** @param {{camera: boolean, background: boolean}} offered  what the visitor may turn on, or choose */
  set offered(offered) {
    this.#offered = offered;
    this.#arrange();
  }

  /** @param {Scene | null} scene  the one that the choices are for */
  follow(scene) {
    this.#scene = scene;
    if (!scene) {
      return;
    }
    this.#setVolume();
    const speaker = recall(SPEAKER, { lasting: true });
    if (speaker) {
      // It may have been unplugged since: the browser's choice is as good, and nobody has asked now.
      scene.chooseSpeaker(speaker).catch(() => keep(SPEAKER, "", { lasting: true }));
    }
  }

  async open() {
    this.#note.textContent = "";
    this.#arrange();
    await this.#list();
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#list(), { signal });
    this.element.addEventListener("close", () => this.#abort.abort(), { signal });
    this.element.showModal();
  }

  close() {
    this.#abort.abort();
    this.element.close();
  }

  #arrange() {
    const { camera, background } = this.#offered;
    const words = this.#words;
    // Not every avatar was cut out of its picture.
    const shown = background && this.#scene?.picture?.backgrounds !== false;
    this.#cameraRow.hidden = !camera;
    this.#backdrops.element.hidden = !shown;
    this.#title.textContent = shown
      ? words.settingsWithBackground
      : camera
        ? words.settingsWithCamera
        : words.settings;
  }

  async #list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const { microphoneId, cameraId } = this.chosen;
    this.#fill(this.#microphones, devices, "audioinput", this.#scene?.microphoneId || microphoneId);
    this.#fill(this.#cameras, devices, "videoinput", this.#scene?.cameraId || cameraId);
    this.#fill(this.#speakers, devices, "audiooutput", recall(SPEAKER, { lasting: true }));
    if (this.#microphones.disabled) {
      this.#note.textContent = this.#words.namesLater;
    }
  }

  #setVolume() {
    keep(VOLUME, this.#volume.value, { lasting: true });
    if (this.#scene) {
      this.#scene.volume = Number(this.#volume.value) / 100;
    }
  }

  /**
   * @param {(scene: Scene) => Promise<void>} choose
   * @param {string} trouble  what to say when it does not work
   */
  async #change(choose, trouble) {
    this.#note.textContent = "";
    if (!this.#scene) {
      return;
    }
    try {
      await choose(this.#scene);
      this.#onChange();
    } catch {
      this.#note.textContent = trouble;
    }
    const note = this.#note.textContent;
    await this.#list();
    this.#note.textContent = note || this.#note.textContent;
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {readonly MediaDeviceInfo[]} devices
   * @param {MediaDeviceKind} kind
   * @param {string | null | undefined} chosen
   */
  #fill(select, devices, kind, chosen) {
    // Before permission, browsers list devices without id and name: nothing to choose from.
    const known = devices.filter((device) => device.kind === kind && device.deviceId !== "");
    const options = known.map(({ deviceId, label }, index) => {
      const text = label || fill(this.#words.unnamedDevice, { position: index + 1 });
      return new Option(text, deviceId, false, deviceId === chosen);
    });
    select.replaceChildren(...(options.length > 0 ? options : [new Option(this.#words.byBrowser, "")]));
    select.disabled = options.length === 0;
  }
}
