import { CallError } from "./errors.js";

/** Pieces of silence (20 ms each) sent after muting, so that the server hears the sentence before it end. */
const SILENT_TAIL = 60;

/** How browsers say that there is no such device. */
const GONE = new Set(["NotFoundError", "OverconstrainedError"]);

/**
 * @typedef {object} MicrophoneHandlers
 * @property {(pcm: ArrayBuffer) => void} onPiece  20 ms: 480 samples, 16-bit little endian mono at 24 kHz
 * @property {(level: number) => void} onLevel  root mean square of a piece, 0 … 1; 0 while muted
 * @property {() => void} onLost  the device went away
 */

/** The visitor's microphone: open from `open` to `close`, sending only between `start` and `close`. */
export class Microphone {
  /** @type {MicrophoneHandlers} */
  #handlers;
  /** @type {MediaStream} */
  #stream;
  #context = new AudioContext({ latencyHint: "interactive" });
  /** @type {MediaStreamAudioSourceNode | undefined} */
  #source;
  /** @type {AudioWorkletNode | undefined} */
  #node;
  #muted = false;
  #tail = 0;
  #sending = false;
  #closed = false;

  /**
   * @param {MediaStream} stream
   * @param {MicrophoneHandlers} handlers
   */
  constructor(stream, handlers) {
    this.#stream = stream;
    this.#handlers = handlers;
  }

  /**
   * Ask the visitor for a microphone.
   *
   * @param {MicrophoneHandlers} handlers
   * @param {string} [deviceId]  the browser's choice without it, or when that device is gone
   * @throws {CallError}
   */
  static async open(handlers, deviceId) {
    const stream = await capture(deviceId);
    const microphone = new Microphone(stream, handlers);
    try {
      await microphone.#listen();
    } catch (cause) {
      microphone.close();
      // The part that runs on the audio thread is loaded now: "AbortError" when the server gives it not.
      if (cause instanceof DOMException && cause.name === "AbortError") {
        throw new CallError("server-gone", "The server does not answer.", { cause });
      }
      throw new CallError("not-supported", "This browser cannot process the microphone's sound.", { cause });
    }
    return microphone;
  }

  /** The id of the device in use. */
  get deviceId() {
    return this.#stream.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    this.#tail = muted ? SILENT_TAIL : 0;
    for (const track of this.#stream.getTracks()) {
      track.enabled = !muted;
    }
  }

  /** Begin to hand out pieces. */
  start() {
    this.#sending = true;
  }

  /**
   * Go over to another device (to the browser's choice when it is gone); the old one stays in use if that fails.
   *
   * @param {string} [deviceId]
   * @throws {CallError}
   */
  async change(deviceId) {
    const stream = await capture(deviceId);
    if (this.#closed) {
      stop(stream);
      return;
    }
    stop(this.#stream);
    this.#stream = stream;
    this.muted = this.#muted;
    this.#connect();
  }

  /** Free the device. */
  close() {
    this.#closed = true;
    stop(this.#stream);
    this.#node?.port.postMessage("close");
    this.#source?.disconnect();
    this.#node?.disconnect();
    if (this.#context.state !== "closed") {
      void this.#context.close();
    }
  }

  async #listen() {
    await this.#context.audioWorklet.addModule(new URL("../microphone-worklet.js", import.meta.url));
    this.#node = new AudioWorkletNode(this.#context, "visavis-microphone", {
      channelCount: 1,
      channelCountMode: "explicit",
    });
    this.#node.port.onmessage = ({ data }) => this.#hear(data);
    // Some browsers only run what leads to the loudspeaker; the node gives silence.
    this.#node.connect(this.#context.destination);
    this.#connect();
    // Not awaited: without a click the browser holds the promise back for ever.
    void this.#context.resume();
  }

  #connect() {
    this.#source?.disconnect();
    this.#source = this.#context.createMediaStreamSource(this.#stream);
    this.#source.connect(/** @type {AudioWorkletNode} */ (this.#node));
    this.#stream.getAudioTracks()[0].addEventListener("ended", () => this.#handlers.onLost());
  }

  /** @param {{pcm: ArrayBuffer, level: number}} piece */
  #hear({ pcm, level }) {
    if (this.#closed || !this.#sending) {
      return;
    }
    this.#handlers.onLevel(this.#muted ? 0 : level);
    if (!this.#muted) {
      this.#handlers.onPiece(pcm);
    } else if (this.#tail > 0) {
      this.#tail -= 1;
      this.#handlers.onPiece(new ArrayBuffer(pcm.byteLength));
    }
  }
}

/**
 * @param {string} [deviceId]
 * @returns {Promise<MediaStream>}
 */
async function capture(deviceId) {
  if (!globalThis.isSecureContext) {
    throw new CallError("insecure-context", "Browsers give the microphone to pages over HTTPS only.");
  }
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) {
    throw new CallError("not-supported", "This browser does not let pages use a microphone.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: {
        channelCount: 1,
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
        // Chromium takes "ideal" for no more than a hint, and prefers its default device.
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      },
    });
  } catch (cause) {
    if (deviceId && cause instanceof Error && GONE.has(cause.name)) {
      return capture();
    }
    throw refusal(cause);
  }
}

/** @param {unknown} cause */
function refusal(cause) {
  const name = cause instanceof Error ? cause.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    return new CallError("permission-denied", "The browser does not allow the microphone.", { cause });
  }
  if (GONE.has(name)) {
    return new CallError("no-microphone", "There is no microphone.", { cause });
  }
  return new CallError("microphone-busy", "The microphone does not start.", { cause });
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) {
    track.stop();
  }
}
