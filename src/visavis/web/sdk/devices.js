import { bounded } from "./bounded.js";
import { capture, stop } from "./capture.js";
import { VisavisError, asVisavisError } from "./errors.js";
import { Microphone } from "./microphone.js";

/** @typedef {import("./capture.js").Kind} Kind */
/** @typedef {Record<Kind, boolean>} Wish */

/**
 * @typedef {object} DeviceHandlers
 * @property {(pcm: ArrayBuffer) => void} onPiece  see `Microphone`
 * @property {(level: number) => void} onLevel  see `Microphone`
 * @property {(error: VisavisError) => void} onMicrophoneLost  it could not be had, or went away with no other to follow
 * @property {() => Promise<void>} onCamera  another camera is to be shown, or none; settled when it is
 */

/** The visitor's microphone and camera, from the first question of the browser to the end of the session. */
export class Devices {
  #handlers;
  /** The devices to prefer; "": the browser's choice. @type {Record<Kind, string>} */
  #preferred;
  /** @type {Microphone | null} */
  #microphone = null;
  /** @type {MediaStream | null} */
  #camera = null;
  /** A microphone that is being opened. @type {Promise<void> | null} */
  #opening = null;
  #sending = false;
  #closed = false;

  /**
   * @param {DeviceHandlers} handlers
   * @param {Record<Kind, string>} preferred
   */
  constructor(handlers, preferred) {
    this.#handlers = handlers;
    this.#preferred = { ...preferred };
  }

  get microphoneOn() {
    return this.#microphone !== null && !this.#microphone.muted;
  }

  get microphoneId() {
    return this.#microphone?.deviceId ?? "";
  }

  get cameraId() {
    return this.cameraTrack?.getSettings().deviceId ?? "";
  }

  get cameraStream() {
    return this.#camera;
  }

  get cameraTrack() {
    return this.#camera?.getVideoTracks()[0] ?? null;
  }

  /**
   * Ask for what the app wishes, by one question of the browser where it can be.
   *
   * @param {Wish} requested
   * @param {Wish} required
   * @param {{milliseconds: number, signal: AbortSignal}} bounds  of the visitor's answer
   * @throws {VisavisError}  a required device cannot be had, or the browser cannot give any
   */
  async request(requested, required, { milliseconds, signal }) {
    const kinds = /** @type {Kind[]} */ (["microphone", "camera"]).filter((kind) => requested[kind]);
    const groups = kinds.length > 1 ? [kinds, ...kinds.map((kind) => [kind])] : kinds.map((kind) => [kind]);
    /** @type {Set<Kind>} */
    const missing = new Set(kinds);
    for (const group of groups) {
      if (!group.every((kind) => missing.has(kind))) {
        continue;
      }
      try {
        const taking = this.#take(group);
        await bounded(taking, { milliseconds, code: "device_timeout", signal });
        group.forEach((kind) => missing.delete(kind));
      } catch (thrown) {
        const error = asVisavisError(thrown);
        // Together they were refused: what is had one by one is still to be seen.
        const final = group.length === 1;
        if (error.name !== "noUserMedia" || (final && required[group[0]])) {
          throw error;
        }
        if (final && group[0] === "microphone") {
          this.#handlers.onMicrophoneLost(error);
        }
      }
    }
  }

  /** Begin to hand out the microphone's sound. */
  start() {
    this.#sending = true;
    this.#microphone?.start();
  }

  /** Hand out none for now. */
  stop() {
    this.#sending = false;
    this.#microphone?.stop();
  }

  /**
   * Off: muted, with the device kept for a quick return.
   *
   * @param {boolean} on
   * @throws {VisavisError}
   */
  async setMicrophone(on) {
    if (on && !this.#microphone) {
      this.#opening ??= this.#take(["microphone"]);
      try {
        await this.#opening;
      } finally {
        this.#opening = null;
      }
    }
    if (this.#microphone) {
      this.#microphone.muted = !on;
    }
  }

  /**
   * Off: the device is freed, and its light goes out.
   *
   * @param {boolean} on
   * @throws {VisavisError}
   */
  async setCamera(on) {
    if (!on) {
      await this.#showCamera(null);
    } else if (!this.#camera) {
      await this.#take(["camera"]);
    }
  }

  /**
   * @param {string} deviceId
   * @throws {VisavisError}
   */
  async chooseMicrophone(deviceId) {
    this.#preferred.microphone = deviceId;
    await this.#microphone?.change(deviceId);
  }

  /**
   * @param {string} deviceId
   * @throws {VisavisError}
   */
  async chooseCamera(deviceId) {
    this.#preferred.camera = deviceId;
    if (this.#camera) {
      await this.#take(["camera"]);
    }
  }

  close() {
    this.#closed = true;
    this.#microphone?.close();
    this.#microphone = null;
    stop(this.#camera);
    this.#camera = null;
  }

  /** @param {Kind[]} kinds */
  async #take(kinds) {
    const stream = await capture(Object.fromEntries(kinds.map((kind) => [kind, this.#preferred[kind]])));
    if (this.#closed) {
      stop(stream);
      return;
    }
    if (kinds.includes("camera")) {
      const showing = this.#showCamera(new MediaStream(stream.getVideoTracks()));
      if (!kinds.includes("microphone")) {
        await showing;
      }
    }
    if (kinds.includes("microphone")) {
      const microphone = await Microphone.open(new MediaStream(stream.getAudioTracks()), {
        onPiece: this.#handlers.onPiece,
        onLevel: this.#handlers.onLevel,
        onLost: () => void this.#replaceMicrophone(),
      });
      if (this.#closed) {
        microphone.close();
        return;
      }
      this.#microphone = microphone;
      if (this.#sending) {
        microphone.start();
      }
    }
  }

  /** @param {MediaStream | null} stream */
  async #showCamera(stream) {
    if (!stream && !this.#camera) {
      return;
    }
    stop(this.#camera);
    this.#camera = stream;
    const track = this.cameraTrack;
    track?.addEventListener("ended", () => {
      if (this.cameraTrack === track) {
        void this.#showCamera(null);
      }
    });
    await this.#handlers.onCamera();
  }

  async #replaceMicrophone() {
    try {
      await this.#microphone?.change("");
    } catch (error) {
      this.#microphone?.close();
      this.#microphone = null;
      this.#handlers.onMicrophoneLost(asVisavisError(error));
    }
  }
}
