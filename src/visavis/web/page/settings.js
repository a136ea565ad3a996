import { box, button, element } from "./elements.js";
import { keep, recall } from "./storage.js";

const VOLUME = "visavis.volume";
const MICROPHONE = "visavis.microphone";
const SPEAKER = "visavis.speaker";

/** The dialog in which microphone, loudspeaker and volume are chosen. The choices are kept for the next visit. */
export class Settings {
  #dialog = element("settings", HTMLDialogElement);
  #microphones = element("microphone-choice", HTMLSelectElement);
  #speakers = element("speaker-choice", HTMLSelectElement);
  #volume = element("volume", HTMLInputElement);
  #note = box("settings-note");
  #video;
  /** @type {import("../sdk/visavis.js").Call | null} */
  #call = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {(call: import("../sdk/visavis.js").Call) => void} onMicrophone  another microphone is in use
   */
  constructor(video, onMicrophone) {
    this.#video = video;
    for (const id of ["open-settings", "controls-settings"]) {
      button(id).addEventListener("click", () => void this.#open());
    }
    this.#volume.value = recall(VOLUME, { lasting: true }) ?? "100";
    this.#setVolume();
    this.#volume.addEventListener("input", () => this.#setVolume());
    this.#microphones.addEventListener("change", () => void this.#chooseMicrophone(onMicrophone));
    this.#speakers.addEventListener("change", () => void this.#chooseSpeaker(this.#speakers.value));
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#list());
    box("speaker-row").hidden = !("setSinkId" in video);
    const speaker = recall(SPEAKER, { lasting: true });
    if (speaker) {
      void this.#chooseSpeaker(speaker);
    }
  }

  /** The microphone chosen on an earlier visit. */
  get microphoneId() {
    return recall(MICROPHONE, { lasting: true }) || undefined;
  }

  /** @param {import("../sdk/visavis.js").Call | null} call */
  follow(call) {
    this.#call = call;
  }

  async #open() {
    this.#note.textContent = "";
    await this.#list();
    this.#dialog.showModal();
  }

  async #list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const inUse = this.#call?.microphoneId || this.microphoneId;
    fill(this.#microphones, devices, "audioinput", inUse);
    fill(this.#speakers, devices, "audiooutput", recall(SPEAKER, { lasting: true }));
    if (this.#microphones.disabled) {
      this.#note.textContent = "The devices have names here once a call was allowed to use the microphone.";
    }
  }

  #setVolume() {
    this.#video.volume = Number(this.#volume.value) / 100;
    keep(VOLUME, this.#volume.value, { lasting: true });
  }

  /** @param {(call: import("../sdk/visavis.js").Call) => void} onMicrophone */
  async #chooseMicrophone(onMicrophone) {
    const id = this.#microphones.value;
    keep(MICROPHONE, id, { lasting: true });
    const call = this.#call;
    if (call?.hasMicrophone) {
      try {
        await call.openMicrophone(id);
        this.#note.textContent = "";
        onMicrophone(call);
      } catch {
        this.#note.textContent = "This microphone does not start. The one before is still in use.";
      }
      await this.#list();
    }
  }

  /** @param {string} id */
  async #chooseSpeaker(id) {
    try {
      await this.#video.setSinkId(id);
      keep(SPEAKER, id, { lasting: true });
    } catch {
      keep(SPEAKER, "", { lasting: true });
      this.#note.textContent = "This loudspeaker can’t be used.";
    }
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {readonly MediaDeviceInfo[]} devices
 * @param {MediaDeviceKind} kind
 * @param {string | null | undefined} chosen
 */
function fill(select, devices, kind, chosen) {
  // Before permission, browsers list devices without id and name: nothing to choose from.
  const known = devices.filter((device) => device.kind === kind && device.deviceId !== "");
  const options = known.map(({ deviceId, label }, index) => {
    return new Option(label || `Device ${index + 1}`, deviceId, false, deviceId === chosen);
  });
  select.replaceChildren(...(options.length > 0 ? options : [new Option("Chosen by the browser", "")]));
  select.disabled = options.length === 0;
}
