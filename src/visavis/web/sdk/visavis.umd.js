/*! The JavaScript client of visavis, in one file. Made by tools/build_sdk.py of the ES modules beside it. */
(function (root, factory) {
  if (typeof exports === "object" && typeof module !== "undefined") {
    module.exports = factory();
  } else if (typeof define === "function" && define.amd) {
    define([], factory);
  } else {
    root.visavis = factory();
  }
})(typeof globalThis === "undefined" ? self : globalThis, function () {
"use strict";
const $errors = (() => {
const ConnectionErrorTypes = Object.freeze({
  noUserMedia: "noUserMedia",
  noScene: "noScene",
  serverConnectionFailed: "serverConnectionFailed",
  notSupported: "notSupported",
  mediaStreamFailed: "mediaStreamFailed",
  sessionTimeout: "sessionTimeout",
  controlFailed: "controlFailed",
  noSessionToResume: "noSessionToResume",
});

const DisconnectReasons = Object.freeze({
  sessionTimeout: "sessionTimeout",
  conversationEnded: "conversationEnded",
  controlDisconnected: "controlDisconnected",
  normal: "normal",
});


const CAUSES = Object.freeze({
  invalid_license: ["serverConnectionFailed", "The license is not valid.", "Check the license key or client token."],
  bad_request: ["serverConnectionFailed", "The server refused the call.", "Check the options given to the Scene."],
  origin_not_allowed: [
    "serverConnectionFailed",
    "This page's origin may not call here.",
    "Add it to the allowed origins of the server or the license.",
  ],
  shutting_down: ["serverConnectionFailed", "The server is closing down.", "Try again in a minute."],
  no_credit: ["serverConnectionFailed", "The license has no credit left.", "Ask who runs the server."],
  unknown_avatar: ["noScene", "The avatar is not on this server.", "Check avatarId or name."],
  license_limit: ["noScene", "The license has as many sessions as it may have.", "Try again when one has ended."],
  no_slot: ["noScene", "All avatars are taken.", "Try again in a minute, or set retryOptions."],
  rate_limited: ["noScene", "There were too many attempts.", "Wait a minute before the next one."],
  backend_error: ["controlFailed", "Something failed on the server.", "Its log says what."],
  control_failed: ["controlFailed", "What directs the conversation cannot be reached.", "The server's log says why."],
  control_disconnected: ["controlFailed", "What directs the conversation was lost.", "The server's log says why."],
  media_failed: [
    "mediaStreamFailed",
    "The connection for picture and sound failed.",
    "A firewall or VPN may block it: try another network, or add a TURN server.",
  ],
  session_timeout: ["sessionTimeout", "The session has timed out.", "Connect again to go on."],
  conversation_ended: ["serverConnectionFailed", "The conversation was ended.", "Connect again for another one."],
  normal: ["serverConnectionFailed", "The connection was closed.", "Connect again."],
  replaced: ["serverConnectionFailed", "The session goes on in another place.", "It was opened in another tab."],
  no_session_to_resume: [
    "noSessionToResume",
    "The earlier session is over.",
    "It has been forgotten: connect again for a new one.",
  ],
  permission_denied: ["noUserMedia", "The browser does not allow the device.", "Allow it for this page."],
  no_device: ["noUserMedia", "There is no such device.", "Connect one."],
  device_busy: ["noUserMedia", "The device does not start.", "Another program may be using it."],
  device_timeout: ["noUserMedia", "Nobody allowed the device.", "Answer the browser's question."],
  insecure_context: [
    "notSupported",
    "Browsers give microphone and camera to pages over HTTPS only.",
    "Serve the page by HTTPS, or request no devices.",
  ],
  not_supported: ["notSupported", "This browser lacks what a call needs.", "Use a present version of a major browser."],
  token_failed: ["serverConnectionFailed", "There is no token.", "tokenProvider must give one in time."],
  unreachable: [
    "serverConnectionFailed",
    "The server cannot be reached.",
    "Check its address, that it runs, and the network.",
  ],
  no_answer: ["serverConnectionFailed", "The server does not answer.", "It may be overloaded: try again."],
  queue_timeout: ["noScene", "No avatar became free in time.", "Try again later."],
  media_timeout: [
    "mediaStreamFailed",
    "Picture and sound did not come through.",
    "A firewall or VPN may block them: try another network, or add a TURN server.",
  ],
  connect_timeout: ["sessionTimeout", "Connecting took too long.", "Try again later."],
  connection_lost: ["serverConnectionFailed", "The connection to the server was lost.", "Check the network."],
  aborted: ["AbortError", "disconnect() was called.", "No further step is needed."],
});


const REASONS = Object.freeze({
  backend_error: "controlDisconnected",
  control_failed: "controlDisconnected",
  control_disconnected: "controlDisconnected",
  connection_lost: "controlDisconnected",
  session_timeout: "sessionTimeout",
  conversation_ended: "conversationEnded",
});

class VisavisError extends Error {
  constructor(code, { text, cause } = {}) {
    const [name, happened, advice] = CAUSES[code];
    super(`${text || happened} ${advice}`, cause === undefined ? undefined : { cause });
    this.name = name;
    this.code = code;
  }

  get reason() {
    return REASONS[this.code] ?? "normal";
  }
}

function isCode(text) {
  return Object.hasOwn(CAUSES, text);
}

function asVisavisError(error) {
  return error instanceof VisavisError ? error : new VisavisError("not_supported", { cause: error });
}
return { ConnectionErrorTypes, DisconnectReasons, VisavisError, isCode, asVisavisError };
})();
const $bounded = (() => {
const { VisavisError } = $errors;

async function bounded(work, { milliseconds, code, signal }) {
  let timer;
  const settled = new AbortController();
  const given = new Promise((_, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => reject(signal.reason), { signal: settled.signal });
    if (milliseconds > 0) {
      timer = setTimeout(() => reject(new VisavisError(code)), milliseconds);
    }
  });
  try {
    return await Promise.race([work, /** @type {Promise<never>} */ (given)]);
  } finally {
    clearTimeout(timer);
    settled.abort();
  }
}

async function pause(milliseconds, signal) {
  let timer;
  try {
    const passed = new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await bounded(passed, { milliseconds: 0, code: "aborted", signal });
  } finally {
    clearTimeout(timer);
  }
}
return { bounded, pause };
})();
const $backdrop = (() => {
const MOST_BYTES = 2 * 1024 * 1024;
const WORDS = /^(?:#[0-9A-Fa-f]{6}|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/u;

function isPicture(background) {
  return /^data:/iu.test(background);
}

async function backdropOf(background) {
  if (typeof background === "string") {
    if (!isPicture(background) && !WORDS.test(background)) {
      throw new TypeError('a background must be "own", "blur", a colour, a name or a picture');
    }
    return background;
  }
  if (background.size > MOST_BYTES) {
    throw new TypeError("a background may have 2 MB at most");
  }
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new TypeError("the background cannot be read", { cause: reader.error }));
    reader.readAsDataURL(background);
  });
}
return { isPicture, backdropOf };
})();
const $scene_event = (() => {
class SceneEvent {
  #listeners = new Set();

  addListener(listener) {
    this.#listeners.add(listener);
  }

  removeListener(listener) {
    this.#listeners.delete(listener);
  }

  tell(...args) {
    for (const listener of [...this.#listeners]) {
      try {
        listener(...args);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
return { SceneEvent };
})();
const $connection_state = (() => {
const { SceneEvent } = $scene_event;

const ConnectionStateTypes = Object.freeze({
  Disconnected: "Disconnected",
  SearchingForDigitalPerson: "SearchingForDigitalPerson",
  DownloadingAssets: "DownloadingAssets",
  ConnectingToDigitalPerson: "ConnectingToDigitalPerson",
  Connected: "Connected",
});



const NAMES = /** @type {StateName[]} */ (Object.keys(ConnectionStateTypes));
const TOTAL_STEPS = 5;
const LAST_STEP = TOTAL_STEPS - 1;

class ConnectionState {
  onConnectionStateUpdated = new SceneEvent();
  #data = dataOf("Disconnected");

  getConnectionState() {
    return this.#data;
  }

  enter(name, queuePosition) {
    if (this.#data.name !== name || this.#data.queuePosition !== queuePosition) {
      this.#data = dataOf(name, queuePosition);
      this.onConnectionStateUpdated.tell(this.#data);
    }
  }
}

function dataOf(name, queuePosition) {
  const currentStep = NAMES.indexOf(name);
  return Object.freeze({
    name,
    currentStep,
    totalSteps: TOTAL_STEPS,
    percentageLoaded: (100 * currentStep) / LAST_STEP,
    ...(queuePosition === undefined ? {} : { queuePosition }),
  });
}
return { ConnectionStateTypes, ConnectionState };
})();
const $capture = (() => {
const { VisavisError } = $errors;

const GONE = new Set(["NotFoundError", "OverconstrainedError"]);


function choice(deviceId) {
  // Chromium takes "ideal" for no more than a hint, and prefers its default device.
  return deviceId ? { deviceId: { exact: deviceId } } : {};
}

const CONSTRAINTS = Object.freeze({
  microphone: (deviceId) => ({
    audio: {
      channelCount: 1,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      ...choice(deviceId),
    },
  }),
  camera: (deviceId) => ({
    video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15, max: 30 }, ...choice(deviceId) },
  }),
});

async function capture(wanted) {
  const kinds = /** @type {Kind[]} */ (Object.keys(wanted));
  assertCapture(kinds.includes("microphone"));
  const constraints = Object.assign({}, ...kinds.map((kind) => CONSTRAINTS[kind](wanted[kind] ?? "")));
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (cause) {
    if (cause instanceof Error && GONE.has(cause.name) && kinds.some((kind) => wanted[kind])) {
      return capture(Object.fromEntries(kinds.map((kind) => [kind, ""])));
    }
    throw refusal(cause, kinds.join(" and "));
  }
}

function assertCapture(microphone) {
  if (!globalThis.isSecureContext) {
    throw new VisavisError("insecure_context");
  }
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new VisavisError("not_supported", { text: "This browser does not support getUserMedia." });
  }
  if (microphone && !globalThis.AudioWorkletNode) {
    throw new VisavisError("not_supported", { text: "This browser does not support AudioWorklet." });
  }
}

function refusal(cause, what) {
  const name = cause instanceof Error ? cause.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    return new VisavisError("permission_denied", { text: `The browser does not allow the ${what}.`, cause });
  }
  if (GONE.has(name)) {
    return new VisavisError("no_device", { text: `There is no ${what}.`, cause });
  }
  return new VisavisError("device_busy", { text: `The ${what} does not start.`, cause });
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) {
    track.stop();
  }
}
return { capture, stop };
})();
const $worklet_address = (() => {
let address = "";
function workletAddress() {
  address ||= URL.createObjectURL(new Blob(["/* Made by tools/build_sdk.py of microphone-processor.js and what it imports. */\nconst $resampler = (() => {\nconst CROSSINGS = 16;\nconst PASS_BAND = 0.92;\n\nclass Resampler {\n  #phases;\n  #taps;\n  #up;\n  #down;\n  #held;\n  #heldLength;\n  #index = 0;\n  #phase = 0;\n\n  constructor(fromRate, toRate) {\n    const divisor = greatestCommonDivisor(fromRate, toRate);\n    this.#up = toRate / divisor;\n    this.#down = fromRate / divisor;\n    const cutoff = Math.min(1, toRate / fromRate) * PASS_BAND;\n    const half = Math.ceil(CROSSINGS / cutoff);\n    this.#taps = 2 * half;\n    this.#phases = Array.from({ length: this.#up }, (_, phase) => filter(phase / this.#up, half, cutoff));\n    this.#held = new Float32Array(this.#taps + 8192);\n    this.#heldLength = this.#taps - 1;\n  }\n\n  push(input, emit) {\n    this.#held.set(input, this.#heldLength);\n    this.#heldLength += input.length;\n    while (this.#index + this.#taps <= this.#heldLength) {\n      const filterRow = this.#phases[this.#phase];\n      let sum = 0;\n      for (let tap = 0; tap < this.#taps; tap += 1) {\n        sum += filterRow[tap] * this.#held[this.#index + tap];\n      }\n      emit(sum);\n      this.#phase += this.#down;\n      this.#index += Math.floor(this.#phase / this.#up);\n      this.#phase %= this.#up;\n    }\n    const used = Math.min(this.#index, this.#heldLength);\n    this.#held.copyWithin(0, used, this.#heldLength);\n    this.#heldLength -= used;\n    this.#index -= used;\n  }\n}\n\nfunction filter(fraction, half, cutoff) {\n  const taps = new Float32Array(2 * half);\n  let sum = 0;\n  for (let tap = 0; tap < taps.length; tap += 1) {\n    const distance = tap - (half - 1) - fraction;\n    taps[tap] = cutoff * sinc(cutoff * distance) * blackman(distance / half);\n    sum += taps[tap];\n  }\n  return taps.map((value) => value / sum);\n}\n\nfunction sinc(x) {\n  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);\n}\n\nfunction blackman(x) {\n  return Math.abs(x) >= 1 ? 0 : 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);\n}\n\nfunction greatestCommonDivisor(a, b) {\n  return b === 0 ? a : greatestCommonDivisor(b, a % b);\n}\nreturn { Resampler };\n})();\nconst $microphone_processor = (() => {\nconst { Resampler } = $resampler;\n\nconst RATE = 24_000;\nconst PIECE = RATE / 50;\n\nclass MicrophoneProcessor extends AudioWorkletProcessor {\n  #resampler = new Resampler(sampleRate, RATE);\n  #piece = new Int16Array(PIECE);\n  #filled = 0;\n  #energy = 0;\n  #open = true;\n\n  constructor() {\n    super();\n    this.port.onmessage = () => {\n      this.#open = false;\n    };\n  }\n\n  process(inputs) {\n    // Without an input (a device is being changed) there is nothing to send.\n    const channel = inputs[0]?.[0];\n    if (channel) {\n      this.#resampler.push(channel, this.#add);\n    }\n    return this.#open;\n  }\n\n  #add = (/** @type {number} */ sample) => {\n    const clipped = Math.max(-1, Math.min(1, sample));\n    this.#energy += clipped * clipped;\n    this.#piece[this.#filled] = Math.round(clipped * 32_767);\n    this.#filled += 1;\n    if (this.#filled === PIECE) {\n      const pcm = this.#piece.buffer;\n      this.port.postMessage({ pcm, level: Math.sqrt(this.#energy / PIECE) }, [pcm]);\n      this.#piece = new Int16Array(PIECE);\n      this.#filled = 0;\n      this.#energy = 0;\n    }\n  };\n}\n\nregisterProcessor(\"visavis-microphone\", MicrophoneProcessor);\nreturn {  };\n})();\n"], { type: "text/javascript" }));
  return address;
}
return { workletAddress };
})();
const $microphone = (() => {
const { capture, stop } = $capture;
const { VisavisError } = $errors;
const { workletAddress } = $worklet_address;

const SILENT_TAIL = 60;


class Microphone {
  #handlers;
  #stream;
  #context = new AudioContext({ latencyHint: "interactive" });
  #source;
  #node;
  #muted = false;
  #tail = 0;
  #sending = false;
  #closed = false;

  constructor(stream, handlers) {
    this.#stream = stream;
    this.#handlers = handlers;
  }

  static async open(stream, handlers) {
    const microphone = new Microphone(stream, handlers);
    try {
      await microphone.#listen();
    } catch (cause) {
      microphone.close();
      // The part that runs on the audio thread is loaded now: "AbortError" when the server gives it not.
      const gone = cause instanceof DOMException && cause.name === "AbortError";
      throw new VisavisError(gone ? "unreachable" : "not_supported", { cause });
    }
    return microphone;
  }

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

  start() {
    this.#sending = true;
  }

  stop() {
    this.#sending = false;
  }

  async change(deviceId) {
    const stream = await capture({ microphone: deviceId });
    if (this.#closed) {
      stop(stream);
      return;
    }
    stop(this.#stream);
    this.#stream = stream;
    this.muted = this.#muted;
    this.#connect();
  }

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
    await this.#context.audioWorklet.addModule(workletAddress());
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
return { Microphone };
})();
const $devices = (() => {
const { bounded } = $bounded;
const { capture, stop } = $capture;
const { VisavisError, asVisavisError } = $errors;
const { Microphone } = $microphone;



class Devices {
  #handlers;
  #preferred;
  #microphone = null;
  #camera = null;
  #opening = null;
  #sending = false;
  #closed = false;

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

  async request(requested, required, { milliseconds, signal }) {
    const kinds = /** @type {Kind[]} */ (["microphone", "camera"]).filter((kind) => requested[kind]);
    const groups = kinds.length > 1 ? [kinds, ...kinds.map((kind) => [kind])] : kinds.map((kind) => [kind]);
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

  start() {
    this.#sending = true;
    this.#microphone?.start();
  }

  stop() {
    this.#sending = false;
    this.#microphone?.stop();
  }

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

  async setCamera(on) {
    if (!on) {
      await this.#showCamera(null);
    } else if (!this.#camera) {
      await this.#take(["camera"]);
    }
  }

  async chooseMicrophone(deviceId) {
    this.#preferred.microphone = deviceId;
    await this.#microphone?.change(deviceId);
  }

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
return { Devices };
})();
const $options = (() => {
const TIMEOUTS = Object.freeze({
  devices: 120_000,
  token: 10_000,
  answer: 10_000,
  queue: 300_000,
  preparing: 60_000,
  media: 20_000,
  connect: 600_000,
  reconnect: 30_000,
});

const PERSISTENCE = Object.freeze([false, "tab", "browser"]);




function settle(options) {
  const { videoElement, audioOnly = false, license, token, tokenProvider, sessionPersistence = false } = options;
  const { canvasElement, transparent = false, size = "", background = "" } = options;
  const canvas = transparent && !audioOnly ? (canvasElement ?? null) : null;
  if (transparent && !audioOnly && !canvas) {
    throw new TypeError("canvasElement is missing: a transparent avatar needs a <canvas> to be seen in");
  }
  if (!videoElement && !audioOnly && !canvas) {
    throw new TypeError("videoElement is missing: the avatar needs a <video> to be seen in, or audioOnly");
  }
  if (size && !/^\d+x\d+$/u.test(size)) {
    throw new TypeError('size must be like "720x720"');
  }
  const credential = tokenProvider ?? license ?? token;
  if (credential === undefined) {
    throw new TypeError("one of license, token and tokenProvider is needed");
  }
  if (!PERSISTENCE.includes(sessionPersistence)) {
    throw new TypeError('sessionPersistence must be false, "tab" or "browser"');
  }
  const required = { microphone: false, camera: false, ...options.requiredMediaDevices };
  const requested = { microphone: true, camera: false, ...options.requestedMediaDevices };
  return {
    element: videoElement ?? (canvas ? hiddenVideo() : new Audio()),
    canvas,
    size,
    backdrop: { background },
    server: baseAddress(options.server),
    credential: typeof credential === "function" ? credential : () => credential,
    avatarId: options.avatarId ?? "",
    name: options.name ?? "",
    model: options.model ?? "",
    requested: {
      microphone: requested.microphone || required.microphone,
      camera: requested.camera || required.camera,
    },
    required,
    audioOnly,
    persistence: sessionPersistence,
    history: (options.history ?? []).map((item) => (typeof item === "string" ? { role: "user", content: item } : item)),
    poster: options.poster ?? true,
    timeouts: { ...TIMEOUTS, ...options.timeouts },
  };
}

function hiddenVideo() {
  const video = document.createElement("video");
  // Else some phones would show it over the whole screen.
  video.playsInline = true;
  return video;
}

function baseAddress(given) {
  const address = new URL(given, globalThis.document?.baseURI);
  const scheme = { "ws:": "http:", "wss:": "https:" }[address.protocol] ?? address.protocol;
  if (scheme !== "http:" && scheme !== "https:") {
    throw new TypeError(`server must be an address of http or https, not ${address.protocol}`);
  }
  // A URL's scheme cannot be set from ws to http: they are of different kinds to some browsers.
  const base = new URL(address.href.replace(/^[a-z]+:/, scheme));
  base.search = base.hash = "";
  if (!base.pathname.endsWith("/")) {
    base.pathname += "/";
  }
  return base;
}
return { settle, baseAddress };
})();
const $resume_tokens = (() => {
class ResumeTokens {
  #key;
  #storage;
  #kept = "";

  constructor(persistence, server, avatar) {
    this.#key = persistence ? `visavis:resume:${server.host}${server.pathname}:${avatar}` : "";
    this.#storage = () => (persistence === "browser" ? localStorage : sessionStorage);
  }

  read() {
    if (!this.#key) {
      return "";
    }
    try {
      return this.#storage().getItem(this.#key) ?? "";
    } catch {
      return this.#kept;
    }
  }

  keep(token) {
    this.#kept = token;
    this.#change((storage) => storage.setItem(this.#key, token));
  }

  forget() {
    this.#kept = "";
    this.#change((storage) => storage.removeItem(this.#key));
  }

  #change(change) {
    if (this.#key) {
      try {
        change(this.#storage());
      } catch (error) {
        // Storage is forbidden or full: the page's own memory has to do.
        console.debug("visavis: the browser does not keep the session", error);
      }
    }
  }
}
return { ResumeTokens };
})();
const $credential = (() => {
const { bounded } = $bounded;
const { VisavisError } = $errors;

async function credentialOf({ credential, timeouts }, signal) {
  let given;
  try {
    const asking = Promise.resolve(credential());
    given = await bounded(asking, { milliseconds: timeouts.token, code: "token_failed", signal });
  } catch (cause) {
    throw cause instanceof VisavisError ? cause : new VisavisError("token_failed", { cause });
  }
  if (typeof given !== "string" || given === "") {
    throw new VisavisError("token_failed", { text: "The license or token is empty." });
  }
  return given;
}
return { credentialOf };
})();
const $farewell = (() => {
const { VisavisError, isCode } = $errors;


const BY_TYPE = Object.freeze({
  "conversation.connected.fail": "bad_request",
  "conversation.connected.insufficient_balance": "no_credit",
  "conversation.connected.connection_limit_exceeded": "license_limit",
  "conversation.connected.gpu_full": "no_slot",
  "conversation.connected.backend_error": "backend_error",
  "conversation.connected.close": "normal",
  "realtime.session.gpu_full": "no_slot",
  "realtime.session.insufficient_balance": "no_credit",
});

const BY_CLOSE_CODE = Object.freeze({
  1000: "normal",
  1001: "shutting_down",
  1008: "bad_request",
  1011: "backend_error",
  1012: "shutting_down",
  1013: "no_slot",
});

function isFarewell(message) {
  return message.type in BY_TYPE;
}

function causeOf(farewell, close, { opened, greeted }) {
  const text = farewell?.text ?? "";
  for (const told of [farewell?.data.code, close?.reason]) {
    if (typeof told === "string" && isCode(told)) {
      return new VisavisError(told, { text });
    }
  }
  if (farewell) {
    return new VisavisError(BY_TYPE[farewell.type], { text });
  }
  if (close?.code === 1000) {
    return new VisavisError("normal", { text: greeted ? "" : "The server closed the connection without a word." });
  }
  if (greeted) {
    return new VisavisError("connection_lost", { cause: close });
  }
  return new VisavisError((opened && BY_CLOSE_CODE[close?.code ?? 0]) || "unreachable", { cause: close });
}
return { isFarewell, causeOf };
})();
const $wire = (() => {
function parseMessage(frame) {
  if (typeof frame !== "string") {
    return null;
  }
  let message;
  try {
    message = JSON.parse(frame);
  } catch {
    return null;
  }
  if (!isObject(message) || typeof message.type !== "string") {
    return null;
  }
  const data = isObject(message.data) ? message.data : message;
  return {
    type: message.type,
    data,
    text: String(message.message ?? data.message ?? ""),
    raw: isObject(message.raw_data) ? message.raw_data : {},
  };
}

function appendAudio(pcm) {
  return { type: "realtime.input_audio_buffer.append", data: { audio: base64(pcm) } };
}

function message(text, role = "user") {
  return {
    type: "conversation.item.create",
    item: { type: "message", role, content: [{ type: "input_text", text }] },
  };
}

function typed(text) {
  return { type: "realtime.input_text", data: { content: text, reply: 1 } };
}

function createResponse() {
  return { type: "response.create" };
}

function announceTools(tools) {
  const content = tools.map(({ name, description, parameters }) => ({
    type: "function",
    name,
    description,
    parameters: parameters ?? { type: "object", properties: {} },
  }));
  return { type: "realtime.input_function_call", data: { content: JSON.stringify(content) } };
}

function toolResult(callId, output) {
  return { type: "conversation.item.create", item: { type: "function_call_output", call_id: callId, output } };
}

function cancelResponse() {
  return { type: "response.cancel" };
}

function keepAlive() {
  return { type: "realtime.session.keep_alive" };
}

function setVariables(values) {
  return { type: "realtime.session.variables", data: { variables: values } };
}

function setBackground(background) {
  return { type: "realtime.set_background", data: { background } };
}

function setEmotion(emotion, intensity) {
  return { type: "realtime.set_emotion", data: { emotion, intensity } };
}

function describe({ type, sdp }) {
  return { type: `webrtc.signaling.${type}`, data: { sdp: { type, sdp } } };
}

function iceCandidate(candidate) {
  return { type: "webrtc.signaling.iceCandidate", data: { candidate: candidate.toJSON() } };
}


function toolCall({ data, raw }) {
  const given = data.arguments ?? raw.arguments ?? {};
  return {
    callId: String(data.call_id ?? raw.call_id ?? ""),
    responseId: String(data.response_id ?? raw.response_id ?? ""),
    name: String(data.name ?? data.function_name ?? raw.name ?? ""),
    args: typeof given === "string" ? parseArguments(given) : given,
  };
}

function parseArguments(text) {
  try {
    return JSON.parse(text);
  } catch {
    // A model may write broken JSON: the tool decides what to make of the text.
    return text;
  }
}

function base64(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)));
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
return { parseMessage, appendAudio, message, typed, createResponse, announceTools, toolResult, cancelResponse, keepAlive, setVariables, setBackground, setEmotion, describe, iceCandidate, toolCall };
})();
const $line = (() => {
const { VisavisError } = $errors;
const { parseMessage } = $wire;


class Line {
  #socket;
  #opened = false;

  constructor(address, { onOpen, onMessage, onClose }) {
    try {
      this.#socket = new WebSocket(address);
    } catch (cause) {
      throw new VisavisError("unreachable", { cause });
    }
    this.#socket.onopen = () => {
      this.#opened = true;
      onOpen();
    };
    this.#socket.onmessage = ({ data }) => {
      const message = parseMessage(data);
      if (message) {
        onMessage(message);
      }
    };
    this.#socket.onclose = onClose;
  }

  get opened() {
    return this.#opened;
  }

  get backlog() {
    return this.#socket.bufferedAmount;
  }

  send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify(message));
    }
  }

  close() {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
  }
}

function lineAddress(server, query) {
  const address = new URL("wss/v2/realtime-chat", server);
  for (const [key, value] of Object.entries(query)) {
    if (value) {
      address.searchParams.set(key, value);
    }
  }
  return new URL(address.href.replace(/^http/, "ws"));
}
return { Line, lineAddress };
})();
const $wait = (() => {
class Wait {
  #onLate;
  #what = "";
  #timer;

  constructor(onLate) {
    this.#onLate = onLate;
  }

  begin(what, milliseconds, code) {
    if (this.#what !== what) {
      this.end();
      this.#what = what;
      if (milliseconds > 0) {
        this.#timer = setTimeout(() => this.#onLate(code), milliseconds);
      }
    }
  }

  end() {
    clearTimeout(this.#timer);
    this.#what = "";
  }
}
return { Wait };
})();
const $connection = (() => {
const { isPicture } = $backdrop;
const { credentialOf } = $credential;
const { VisavisError, asVisavisError } = $errors;
const { causeOf, isFarewell } = $farewell;
const { Line, lineAddress } = $line;
const { Wait } = $wait;

const FAREWELL_MS = 1500;




class Connection {
  #settings;
  #handlers;
  #line = null;
  #over = new AbortController();
  #wait = new Wait((code) => this.#fail(new VisavisError(code)));
  #farewell = null;
  #greeted = false;
  #prepared = false;
  #settled = false;
  #closing;

  constructor(settings, handlers) {
    this.#settings = settings;
    this.#handlers = handlers;
  }

  get leaving() {
    return this.#farewell !== null;
  }

  get backlog() {
    return this.#line?.backlog ?? 0;
  }

  async dial(token) {
    const { server, avatarId, name, model, size, backdrop, canvas, timeouts } = this.#settings;
    try {
      const license = await credentialOf(this.#settings, this.#over.signal);
      // A picture of the page's own is too long for an address: the session sends it.
      const background = isPicture(backdrop.background) ? "" : backdrop.background;
      const transparent = canvas ? "1" : "";
      const query = { license, avatarId, name, model, states: "1", resume: token, size, background, transparent };
      this.#line = new Line(lineAddress(server, query), {
        onOpen: () => this.#handlers.onOpen(),
        onMessage: (message) => this.#take(message),
        onClose: (close) => this.#closed(close),
      });
      this.#wait.begin("answer", timeouts.answer, "no_answer");
    } catch (error) {
      if (!this.#over.signal.aborted) {
        this.#fail(asVisavisError(error));
      }
    }
  }

  send(message) {
    this.#line?.send(message);
  }

  settle() {
    this.#settled = true;
    this.#wait.end();
  }

  close(why) {
    this.#over.abort(why);
    this.#wait.end();
    clearTimeout(this.#closing);
    this.#line?.close();
  }

  #take(message) {
    const { type, data } = message;
    if (isFarewell(message)) {
      // The close that follows may say more exactly why.
      this.#farewell ??= message;
      this.#wait.end();
      this.#closing ??= setTimeout(() => this.#closed(null), FAREWELL_MS);
      return;
    }
    switch (type) {
      case "conversation.connected.success":
        this.#greet(data);
        break;
      case "conversation.connected.state":
        this.#progress(data);
        break;
      case "webrtc.signaling.offer":
        this.#progress({ state: "connecting" });
        this.#handlers.onMessage(message);
        break;
      default:
        this.#handlers.onMessage(message);
    }
  }

  #greet(data) {
    this.#greeted = true;
    this.#handlers.onGreeting({
      id: String(data.sessionId ?? ""),
      token: typeof data.resumeToken === "string" ? data.resumeToken : "",
      persistent: data.persistent !== false,
      resumed: data.resumed === true,
      iceServers: Array.isArray(data.iceServers) ? data.iceServers : [],
    });
    if (typeof data.resumed === "boolean") {
      // This server tells the steps itself; the first one may be a queue.
      this.#wait.begin("preparing", this.#settings.timeouts.preparing, "no_answer");
    } else {
      this.#progress({ state: "preparing" });
    }
  }

  #progress({ state, queuePosition, picture }) {
    const { timeouts } = this.#settings;
    if (this.#settled || this.#farewell || this.#over.signal.aborted) {
      return;
    }
    switch (state) {
      case "queued":
        this.#wait.begin("queue", timeouts.queue, "queue_timeout");
        this.#handlers.onState("SearchingForDigitalPerson", Number(queuePosition));
        break;
      case "preparing":
        this.#prepared = true;
        this.#wait.begin("preparing", timeouts.preparing, "no_answer");
        this.#handlers.onState("DownloadingAssets");
        break;
      case "connecting":
        if (!this.#prepared) {
          // A server may leave out what takes no time.
          this.#progress({ state: "preparing" });
        }
        if (picture) {
          this.#handlers.onPicture(pictureOf(picture));
        }
        this.#wait.begin("media", timeouts.media, "media_timeout");
        this.#handlers.onState("ConnectingToDigitalPerson");
        break;
    }
  }

  #closed(close) {
    this.#fail(causeOf(this.#farewell, close, { opened: this.#line?.opened ?? false, greeted: this.#greeted }));
  }

  #fail(error) {
    if (!this.#over.signal.aborted) {
      this.close(error);
      this.#handlers.onFailed(error);
    }
  }
}

function pictureOf({ width, height, transparent, backgrounds }) {
  return Object.freeze({
    width: Number(width),
    height: Number(height),
    transparent: transparent === true,
    backgrounds: backgrounds === true,
  });
}
return { Connection };
})();
const $captions = (() => {
class Captions {
  #tell;
  #count = 0;
  #awaited = [];
  #answers = new Map();

  constructor(tell) {
    this.#tell = tell;
  }

  speechStarted() {
    const id = this.#nextId();
    this.#awaited.push(id);
    this.#tell({ side: "user", id, text: "", state: "pending" });
  }

  userSaid(text) {
    this.#tell({ side: "user", id: this.#awaited.shift() ?? this.#nextId(), text, state: "final" });
  }

  userTyped(text) {
    this.#tell({ side: "user", id: this.#nextId(), text, state: "final" });
  }

  answerGrew(id, increment) {
    const text = (this.#answers.get(id) ?? "") + increment;
    this.#answers.set(id, text);
    this.#tell({ side: "avatar", id, text, state: "partial" });
  }

  answerDone(id, text) {
    this.#answers.delete(id);
    this.#tell({ side: "avatar", id, text, state: "final" });
  }

  end() {
    for (const id of this.#awaited.splice(0)) {
      this.#tell({ side: "user", id, text: "", state: "final" });
    }
    for (const [id, text] of [...this.#answers]) {
      this.answerDone(id, text);
    }
  }

  #nextId() {
    this.#count += 1;
    return `user-${this.#count}`;
  }
}
return { Captions };
})();
const $dialogue = (() => {
const { Captions } = $captions;



class Dialogue {
  #handlers;
  #captions;
  #activity = "idle";
  #active = new Set();

  constructor(handlers) {
    this.#handlers = handlers;
    this.#captions = new Captions(handlers.onCaption);
  }

  get activity() {
    return this.#activity;
  }

  typed(text) {
    this.#captions.userTyped(text);
    this.#become("thinking");
  }

  usesTool(responseId) {
    this.#active.add(responseId);
    this.#become("thinking");
  }

  take({ type, data }) {
    const id = String(data.response_id ?? data.id ?? "");
    switch (type) {
      case "realtime.input_audio_buffer.speech_started":
        this.#captions.speechStarted();
        this.#become("listening");
        break;
      case "realtime.input_audio_buffer.speech_stopped":
        this.#become("thinking");
        break;
      case "realtime.conversation.item.input_audio_transcription.completed": {
        const text = String(data.content ?? data.transcript ?? "").trim();
        this.#captions.userSaid(text);
        if (text === "" && this.#activity === "thinking") {
          this.#become("idle");
        }
        break;
      }
      case "realtime.response.audio_transcript.delta":
        this.#active.add(id);
        this.#captions.answerGrew(id, String(data.delta ?? data.content ?? ""));
        this.#become("speaking");
        break;
      case "realtime.response.audio_transcript.done":
        this.#captions.answerDone(id, String(data.transcript ?? data.content ?? ""));
        break;
      case "realtime.response.audio.done":
        // An answer that was cut short ends when the next one is already being thought of.
        if (this.#activity === "speaking" || (this.#activity === "thinking" && !this.#active.has(id))) {
          this.#become("idle");
        }
        this.#active.delete(id);
        break;
    }
  }

  end() {
    this.#captions.end();
    this.#active.clear();
    this.#become("idle");
  }

  #become(activity) {
    if (this.#activity !== activity) {
      this.#activity = activity;
      this.#handlers.onActivity(activity);
    }
  }
}
return { Dialogue };
})();
const $flow = (() => {
class Flow {
  #tell;
  #facts = { standing: false, connected: false, moving: true };
  #begun = false;
  #told = true;

  constructor(tell) {
    this.#tell = tell;
  }

  get connected() {
    return this.#facts.connected;
  }

  note(facts) {
    this.#facts = { ...this.#facts, ...facts };
    const flowing = Object.values(this.#facts).every(Boolean);
    this.#begun ||= flowing;
    if (this.#begun && flowing !== this.#told) {
      this.#told = flowing;
      this.#tell(flowing);
    }
  }
}
return { Flow };
})();
const $peer = (() => {
const wire = $wire;

const ANSWER_MS = 5000;


class Peer {
  #handlers;
  #connection;
  #audioOnly;
  #early = [];
  #ready = false;
  #gathered = [];
  #described = false;
  #awaiting = null;
  #patience;

  constructor(iceServers, audioOnly, handlers) {
    this.#handlers = handlers;
    this.#audioOnly = audioOnly;
    this.#connection = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.#connection.ontrack = ({ streams, track }) => handlers.onTrack(track, streams[0] ?? new MediaStream([track]));
    this.#connection.onconnectionstatechange = () => handlers.onState(this.#connection.connectionState);
    this.#connection.onicecandidate = ({ candidate }) => {
      // The end marker is of no use to the server, and some refuse it.
      if (!candidate?.candidate) {
        return;
      }
      const message = wire.iceCandidate(candidate);
      if (this.#described) {
        handlers.send(message);
      } else {
        this.#gathered.push(message);
      }
    };
  }

  async accept(offer) {
    await this.#connection.setRemoteDescription(offer);
    this.#ready = true;
    for (const candidate of this.#early.splice(0)) {
      await this.#connection.addIceCandidate(candidate);
    }
    if (this.#audioOnly) {
      for (const transceiver of this.#videos()) {
        transceiver.direction = "inactive";
      }
    }
    await this.#describe(await this.#connection.createAnswer());
  }

  async add(candidate) {
    if (this.#ready) {
      await this.#connection.addIceCandidate(candidate);
    } else {
      this.#early.push(candidate);
    }
  }

  async restart() {
    return this.#offer({ iceRestart: true });
  }

  async showCamera(track) {
    let transceiver = this.#videos()[0];
    if (!transceiver) {
      return false;
    }
    const receives = !this.#audioOnly;
    const sends = transceiver.currentDirection === "sendrecv" || transceiver.currentDirection === "sendonly";
    await transceiver.sender.replaceTrack(track);
    if ((track !== null) !== sends) {
      transceiver.direction = track ? (receives ? "sendrecv" : "sendonly") : receives ? "recvonly" : "inactive";
      await this.#offer({});
    }
    const direction = transceiver.currentDirection;
    return track !== null && (direction === "sendrecv" || direction === "sendonly");
  }

  answered(answer) {
    this.#awaiting?.(answer);
  }

  close() {
    this.#connection.ontrack = null;
    this.#connection.onicecandidate = null;
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
    // What was asked of a closed connection never settles.
    clearTimeout(this.#patience);
    this.#awaiting?.(null);
  }

  #videos() {
    return this.#connection.getTransceivers().filter(({ receiver }) => receiver.track.kind === "video");
  }

  async #offer(options) {
    const answering = new Promise((resolve) => {
      this.#awaiting = resolve;
      this.#patience = setTimeout(() => resolve(null), ANSWER_MS);
    });
    try {
      await this.#describe(await this.#connection.createOffer(options));
      const answer = await answering;
      if (this.#connection.signalingState === "closed") {
        return false;
      }
      await this.#connection[answer ? "setRemoteDescription" : "setLocalDescription"](answer ?? { type: "rollback" });
      return answer !== null;
    } finally {
      clearTimeout(this.#patience);
      this.#awaiting = null;
    }
  }

  async #describe(description) {
    this.#described = false;
    await this.#connection.setLocalDescription(description);
    this.#handlers.send(wire.describe(description));
    this.#described = true;
    for (const message of this.#gathered.splice(0)) {
      this.#handlers.send(message);
    }
  }
}
return { Peer };
})();
const $playback = (() => {
const LOOK_MS = 500;
const PATIENCE = 4;
const HUSH_MS = 1000;


class Playback {
  #element;
  #handlers;
  #abort = new AbortController();
  #frames = 0;
  #still = 0;
  #watch = setInterval(() => this.#look(), LOOK_MS);
  #muted;
  #blocked = false;
  #hushed;

  constructor(element, muted, handlers) {
    this.#element = element;
    this.#muted = muted;
    this.#handlers = handlers;
    element.addEventListener("loadeddata", () => handlers.onBegun(), { signal: this.#abort.signal });
  }

  attach(stream) {
    if (this.#element.srcObject !== stream) {
      this.#element.srcObject = stream;
      this.#sound();
      void this.#play();
    }
  }

  mute(muted) {
    this.#muted = muted;
    this.#sound();
  }

  hush() {
    clearTimeout(this.#hushed);
    this.#hushed = setTimeout(() => this.unhush(), HUSH_MS);
    this.#sound();
  }

  unhush() {
    clearTimeout(this.#hushed);
    this.#hushed = undefined;
    this.#sound();
  }

  async unblock() {
    this.#blocked = false;
    this.#sound();
    await this.#element.play();
  }

  close() {
    clearInterval(this.#watch);
    clearTimeout(this.#hushed);
    this.#abort.abort();
    this.#element.srcObject = null;
  }

  #sound() {
    this.#element.muted = this.#muted || this.#blocked || this.#hushed !== undefined;
  }

  async #play() {
    try {
      await this.#element.play();
    } catch (error) {
      // "AbortError": another stream took this one's place, or the session is over.
      if (this.#abort.signal.aborted || !(error instanceof DOMException) || error.name !== "NotAllowedError") {
        return;
      }
      this.#blocked = true;
      this.#sound();
      this.#handlers.onBlocked();
      await this.#element.play().catch(() => undefined);
    }
  }

  #look() {
    const { srcObject } = this.#element;
    if (!(this.#element instanceof HTMLVideoElement) || !(srcObject instanceof MediaStream)) {
      return;
    }
    const frames = this.#element.getVideoPlaybackQuality().totalVideoFrames;
    // A page that is not seen shows no frames, whatever arrives.
    const shows = srcObject.getVideoTracks().length > 0 && document.visibilityState === "visible";
    if (frames !== this.#frames || !shows) {
      if (this.#still >= PATIENCE) {
        this.#handlers.onMotion(true);
      }
      this.#still = 0;
    } else {
      this.#still += 1;
      if (this.#still === PATIENCE) {
        this.#handlers.onMotion(false);
      }
    }
    this.#frames = frames;
  }
}
return { Playback };
})();
const $media = (() => {
const { Peer } = $peer;
const { Playback } = $playback;


class Media {
  iceServers = [];
  #handlers;
  #audioOnly;
  #playback;
  #peers = [];
  #connected = false;
  #begun = false;
  #closed = false;
  #signalling = Promise.resolve();

  constructor(element, { audioOnly, muted }, handlers) {
    this.#handlers = handlers;
    this.#audioOnly = audioOnly;
    this.#playback = new Playback(element, muted, {
      onBegun: () => {
        this.#begun = true;
        this.#check();
      },
      onMotion: handlers.onMotion,
      onBlocked: handlers.onBlocked,
    });
  }

  get playback() {
    return this.#playback;
  }

  offer(description) {
    void this.#signal(() => this.#accept(description));
  }

  candidate(candidate) {
    void this.#signal(async () => this.#peers.at(-1)?.add(candidate));
  }

  answer(description) {
    // Not in its turn: the offer's turn ends with it.
    this.#peers.at(-1)?.answered(description);
  }

  async restart() {
    return (await this.#signal(async () => this.#peers.at(-1)?.restart())) ?? false;
  }

  async showCamera(track) {
    return (await this.#signal(async () => this.#peers.at(-1)?.showCamera(track))) ?? false;
  }

  close() {
    this.#closed = true;
    this.#closePeers(this.#peers.splice(0));
    this.#playback.close();
  }

  async #accept(offer) {
    const renewed = this.#peers.length > 0;
    let stream = null;
    const peer = new Peer(this.iceServers, this.#audioOnly, {
      send: this.#handlers.send,
      onTrack: (track, whole) => {
        if (this.#audioOnly) {
          if (track.kind !== "audio") {
            return;
          }
          whole = new MediaStream([track]);
        }
        stream = whole;
        if (!renewed) {
          this.#playback.attach(whole);
        }
      },
      onState: (state) => {
        if (peer !== this.#peers.at(-1)) {
          return;
        }
        if (state === "connected" && renewed && stream) {
          // Only now does it have something to show: until here the old picture stays.
          this.#playback.attach(stream);
          this.#closePeers(this.#peers.splice(0, this.#peers.length - 1));
        }
        this.#follow(state);
      },
    });
    this.#connected = false;
    this.#begun = false;
    this.#peers.push(peer);
    await peer.accept(offer);
  }

  #follow(state) {
    if (state === "connected" || state === "disconnected" || state === "failed") {
      this.#connected = state === "connected";
      this.#handlers.onConnection(state);
      this.#check();
    }
  }

  #check() {
    if (this.#connected && this.#begun) {
      this.#handlers.onFlowing();
    }
  }

  #signal(step) {
    const done = this.#signalling.then(async () => {
      if (this.#closed) {
        return undefined;
      }
      try {
        return await step();
      } catch (cause) {
        // What fails because the connection was closed under it is no error.
        if (!this.#closed) {
          this.#handlers.onError(cause);
        }
        return undefined;
      }
    });
    this.#signalling = done;
    return done;
  }

  #closePeers(peers) {
    for (const peer of peers) {
      peer.close();
    }
  }
}
return { Media };
})();
const $outbox = (() => {
const MOST_HELD = 64;

class Outbox {
  #send = null;
  #held = [];

  get open() {
    return this.#send !== null;
  }

  say(message) {
    if (this.#send) {
      this.#send(message);
    } else {
      this.#held = [...this.#held, message].slice(-MOST_HELD);
    }
  }

  begin(send) {
    this.#send = send;
    for (const message of this.#held.splice(0)) {
      send(message);
    }
  }

  pause() {
    this.#send = null;
  }
}
return { Outbox };
})();
const $avatars = (() => {
const { VisavisError } = $errors;
const { baseAddress } = $options;

const TIMEOUT_MS = 10_000;


async function listAvatars(server, license) {
  const base = baseAddress(server);
  const entries = await lookUp(new URL("api/open/v1/avatar/list", base), license);
  return Array.isArray(entries) ? entries.map((entry) => avatarOf(entry, base)) : [];
}

async function findAvatar(base, license, { avatarId, name }) {
  const address = new URL(`api/open/v1/avatar/${avatarId ? "detail" : "getByName"}`, base);
  address.searchParams.set(avatarId ? "avatarId" : "name", avatarId || name);
  return avatarOf(/** @type {Record<string, unknown>} */ (await lookUp(address, license)), base);
}

async function lookUp(address, license) {
  let response;
  try {
    response = await fetch(address, {
      headers: { license },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new VisavisError("unreachable", { cause });
  }
  const body = await response.json().catch(() => ({}));
  const code = response.ok ? (body.code ?? 200) : response.status;
  if (code !== 200 || !body.data) {
    const kind = code === 401 || code === 403 ? "invalid_license" : code === 404 ? "unknown_avatar" : "bad_request";
    throw new VisavisError(kind, { text: body.message ?? `The server answered with status ${code}.` });
  }
  return body.data;
}

function avatarOf(entry, base) {
  return {
    id: String(entry.avatarId ?? entry.id),
    name: String(entry.name ?? ""),
    picture: ownAddress(entry.url || entry.thumbnailUrl, base),
    thumbnail: ownAddress(entry.thumbnailUrl || entry.url, base),
  };
}

function ownAddress(address, server) {
  if (typeof address !== "string" || address === "") {
    return "";
  }
  const { pathname, search } = new URL(address, server);
  return new URL(pathname + search, server.origin).href;
}
return { listAvatars, findAvatar };
})();
const $poster = (() => {
const { findAvatar } = $avatars;
const { credentialOf } = $credential;

async function showPoster(settings, signal) {
  const { element, canvas, poster, audioOnly, server, avatarId, name } = settings;
  if (!poster || audioOnly || canvas || !(element instanceof HTMLVideoElement) || element.poster || !(avatarId || name)) {
    return;
  }
  try {
    const { picture } = await findAvatar(server, await credentialOf(settings, signal), { avatarId, name });
    if (!signal.aborted) {
      element.poster = picture;
    }
  } catch (error) {
    // The moving picture comes in a moment all the same.
    console.debug("visavis: no still picture", error);
  }
}
return { showPoster };
})();
const $recovery = (() => {
const PATIENCE_MS = 4000;


class Recovery {
  #handlers;
  #limit;
  #running = null;

  constructor(limit, handlers) {
    this.#limit = limit;
    this.#handlers = handlers;
  }

  begin() {
    if (this.#running) {
      return;
    }
    const running = new AbortController();
    this.#running = running;
    if (this.#limit > 0) {
      const timer = setTimeout(() => {
        this.stop();
        this.#handlers.onGivenUp();
      }, this.#limit);
      running.signal.addEventListener("abort", () => clearTimeout(timer));
    }
    void this.#run(running.signal);
  }

  stop() {
    this.#running?.abort();
    this.#running = null;
  }

  async #run(signal) {
    while (!signal.aborted) {
      const answered = await this.#handlers.restart();
      if (signal.aborted) {
        return;
      }
      if (!answered) {
        this.#handlers.onDeaf();
      }
      if (this.#handlers.isUp()) {
        this.stop();
      }
      await new Promise((resolve) => {
        if (signal.aborted) {
          resolve(null);
        }
        const timer = setTimeout(resolve, PATIENCE_MS);
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve(null);
        });
      });
    }
  }
}

function watchNetwork(onChange, signal) {
  addEventListener("online", onChange, { signal });
  // Not all browsers know it. It also tells of every new guess of the speed, which means nothing here.
  const connection = /** @type {(EventTarget & {type?: string}) | undefined} */ (
    /** @type {{connection?: unknown}} */ (navigator).connection
  );
  let type = connection?.type;
  connection?.addEventListener(
    "change",
    () => {
      if (connection.type !== type) {
        type = connection.type;
        onChange();
      }
    },
    { signal },
  );
}
return { Recovery, watchNetwork };
})();
const $redial = (() => {
const PAUSES = Object.freeze([0, 500, 1000, 2000, 4000]);

class Redial {
  #deadline;
  #tries = 0;
  #wake = null;

  constructor(milliseconds) {
    this.#deadline = milliseconds > 0 ? performance.now() + milliseconds : Infinity;
  }

  get late() {
    return performance.now() > this.#deadline;
  }

  async rest() {
    const pause = PAUSES[Math.min(this.#tries, PAUSES.length - 1)];
    this.#tries += 1;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
    this.#wake = null;
  }

  hurry() {
    this.#wake?.();
  }
}
return { Redial };
})();
const $transparent_canvas = (() => {
const NOISE = 8 / 255;

const VERTEX = `
attribute vec2 corner;
varying vec2 place;

void main() {
  place = vec2(0.5 + 0.5 * corner.x, 0.5 - 0.5 * corner.y);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

// Where both halves meet, half a pixel is left out: the colour would take in some of the opacity beside it.
const FRAGMENT = `
#ifdef GL_FRAGMENT_PRECISION_HIGH
precision highp float;
#else
precision mediump float;
#endif
uniform sampler2D frame;
uniform bool cut;
uniform float pixel;
varying vec2 place;

void main() {
  if (cut) {
    vec3 colour = texture2D(frame, vec2(min(0.5 * place.x, 0.5 - 0.5 * pixel), place.y)).rgb;
    float seen = texture2D(frame, vec2(max(0.5 + 0.5 * place.x, 0.5 + 0.5 * pixel), place.y)).g;
    float alpha = clamp((seen - ${NOISE.toFixed(5)}) / ${(1 - 2 * NOISE).toFixed(5)}, 0.0, 1.0);
    gl_FragColor = vec4(min(colour, alpha), alpha);
  } else {
    gl_FragColor = vec4(texture2D(frame, place).rgb, 1.0);
  }
}`;

class TransparentCanvas {
  #canvas;
  #video;
  #painter;
  #cut = false;
  #abort = new AbortController();
  #request = 0;

  constructor(canvas, video) {
    this.#canvas = canvas;
    this.#video = video;
    this.#painter = GlPainter.open(canvas) ?? new PlainPainter(canvas);
    const { signal } = this.#abort;
    canvas.addEventListener(
      "webglcontextlost",
      (event) => {
        // Else the browser would never give it back.
        event.preventDefault();
        this.#painter = null;
      },
      { signal },
    );
    canvas.addEventListener("webglcontextrestored", () => (this.#painter = GlPainter.open(canvas)), { signal });
    this.#ask();
  }

  get cut() {
    return this.#cut;
  }

  set cut(cut) {
    this.#cut = cut;
  }

  close() {
    this.#abort.abort();
    if ("requestVideoFrameCallback" in this.#video) {
      this.#video.cancelVideoFrameCallback(this.#request);
    } else {
      cancelAnimationFrame(this.#request);
    }
    this.#painter?.close();
    this.#painter = null;
  }

  #ask() {
    const paint = () => {
      this.#ask();
      this.#paint();
    };
    this.#request =
      "requestVideoFrameCallback" in this.#video
        ? this.#video.requestVideoFrameCallback(paint)
        : requestAnimationFrame(paint);
  }

  #paint() {
    const { videoWidth, videoHeight, readyState } = this.#video;
    if (videoWidth === 0 || readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      return;
    }
    const width = this.#cut ? videoWidth / 2 : videoWidth;
    if (this.#canvas.width !== width || this.#canvas.height !== videoHeight) {
      this.#canvas.width = width;
      this.#canvas.height = videoHeight;
    }
    this.#painter?.paint(this.#video, this.#cut);
  }
}

class GlPainter {
  #gl;
  #program;
  #buffer;
  #texture;
  #cut;
  #pixel;

  static open(canvas) {
    const gl = canvas.getContext("webgl", { alpha: true, premultipliedAlpha: true, antialias: false, depth: false });
    const program = gl && !gl.isContextLost() ? link(gl) : null;
    return gl && program ? new GlPainter(gl, program) : null;
  }

  constructor(gl, program) {
    this.#gl = gl;
    this.#program = program;
    this.#buffer = gl.createBuffer();
    this.#texture = gl.createTexture();
    this.#cut = gl.getUniformLocation(program, "cut");
    this.#pixel = gl.getUniformLocation(program, "pixel");
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, this.#texture);
    for (const [name, value] of [
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
      [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    ]) {
      gl.texParameteri(gl.TEXTURE_2D, name, value);
    }
  }

  paint(video, cut) {
    const gl = this.#gl;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, video);
    gl.uniform1i(this.#cut, cut ? 1 : 0);
    gl.uniform1f(this.#pixel, 1 / video.videoWidth);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  close() {
    const gl = this.#gl;
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.deleteTexture(this.#texture);
    gl.deleteBuffer(this.#buffer);
    gl.deleteProgram(this.#program);
  }
}

class PlainPainter {
  #context;
  #scratch;

  constructor(canvas) {
    this.#context = canvas.getContext("2d");
    this.#scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  }

  paint(video, cut) {
    const context = this.#context;
    const scratch = this.#scratch;
    if (!cut) {
      context?.drawImage(video, 0, 0);
    } else if (context && scratch) {
      const { videoWidth, videoHeight } = video;
      if (scratch.canvas.width !== videoWidth || scratch.canvas.height !== videoHeight) {
        scratch.canvas.width = videoWidth;
        scratch.canvas.height = videoHeight;
      }
      scratch.drawImage(video, 0, 0);
      const frame = scratch.getImageData(0, 0, videoWidth, videoHeight);
      context.putImageData(together(frame), 0, 0);
    }
  }

  close() {
    const { width, height } = this.#context?.canvas ?? { width: 0, height: 0 };
    this.#context?.clearRect(0, 0, width, height);
    if (this.#scratch) {
      // Gives its memory back now.
      this.#scratch.canvas.width = this.#scratch.canvas.height = 0;
    }
  }
}

function together(frame) {
  const width = frame.width / 2;
  const result = new ImageData(width, frame.height);
  const from = frame.data;
  const to = result.data;
  for (let y = 0; y < frame.height; y += 1) {
    let source = 4 * y * frame.width;
    let target = 4 * y * width;
    for (let x = 0; x < width; x += 1, source += 4, target += 4) {
      const alpha = Math.min(1, Math.max(0, (from[source + 4 * width + 1] / 255 - NOISE) / (1 - 2 * NOISE)));
      if (alpha > 0) {
        // Clamped to 255 by the array itself.
        to[target] = from[source] / alpha;
        to[target + 1] = from[source + 1] / alpha;
        to[target + 2] = from[source + 2] / alpha;
        to[target + 3] = 255 * alpha;
      }
    }
  }
  return result;
}

function link(gl) {
  const program = gl.createProgram();
  if (!program) {
    return null;
  }
  for (const [kind, source] of /** @type {const} */ ([
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ])) {
    const shader = gl.createShader(kind);
    if (!shader) {
      return null;
    }
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    // It goes with the program.
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    console.warn("visavis: the shader was not taken", gl.getProgramInfoLog(program));
    gl.deleteProgram(program);
    return null;
  }
  return program;
}
return { TransparentCanvas };
})();
const $session = (() => {
const { isPicture } = $backdrop;
const { Connection } = $connection;
const { Dialogue } = $dialogue;
const { VisavisError } = $errors;
const { Flow } = $flow;
const { Media } = $media;
const { Outbox } = $outbox;
const { showPoster } = $poster;
const { Recovery, watchNetwork } = $recovery;
const { Redial } = $redial;
const { TransparentCanvas } = $transparent_canvas;
const wire = $wire;

const MOST_BACKLOG = 96 * 1024;
const ENDINGS = new Set(["session_timeout", "conversation_ended", "normal", "replaced", "control_disconnected"]);
const PASSING = new Set(["unreachable", "no_answer", "connection_lost", "shutting_down", "no_slot", "rate_limited"]);




class Session {
  #parts;
  #handlers;
  #phase = "starting";
  #id = "";
  #token = "";
  #connection = null;
  #media;
  #dialogue;
  #recovery;
  #redial = null;
  #over = new AbortController();
  #settle = () => undefined;
  #resumed = false;
  #persistent = true;
  #outbox = new Outbox();
  #flow;
  #dropped = 0;
  #canvas = null;
  #picture = null;

  constructor(parts, handlers) {
    this.#parts = parts;
    this.#handlers = handlers;
    const { settings, muted } = parts;
    if (settings.canvas && settings.element instanceof HTMLVideoElement) {
      this.#canvas = new TransparentCanvas(settings.canvas, settings.element);
    }
    this.#flow = new Flow(handlers.onMedia);
    this.#dialogue = new Dialogue({ onCaption: handlers.onCaption, onActivity: handlers.onActivity });
    this.#media = new Media(
      settings.element,
      { audioOnly: settings.audioOnly, muted },
      {
        send: (message) => this.#connection?.send(message),
        onFlowing: () => this.#flows(),
        onConnection: (state) => this.#watchMedia(state),
        onMotion: (moving) => this.#flow.note({ moving }),
        onBlocked: handlers.onBlocked,
        onError: (cause) => this.#signallingFailed(cause),
      },
    );
    this.#recovery = new Recovery(settings.timeouts.media, {
      restart: () => this.#media.restart(),
      isUp: () => this.#flow.connected,
      onDeaf: () => this.#suspectLine(),
      onGivenUp: () => this.end(new VisavisError("media_failed")),
    });
  }

  get activity() {
    return this.#dialogue.activity;
  }

  get playback() {
    return this.#media.playback;
  }

  get picture() {
    return this.#picture;
  }

  get droppedPieces() {
    return this.#dropped;
  }

  async begin(signal) {
    const abort = () => this.end(signal.reason);
    signal.addEventListener("abort", abort);
    watchNetwork(() => this.#networkChanged(), this.#over.signal);
    this.#token = this.#parts.tokens.read();
    try {
      await new Promise((resolve, reject) => {
        this.#settle = (error) => (error ? reject(error) : resolve(undefined));
        this.#dial();
      });
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return this.#id;
  }

  say(message) {
    this.#outbox.say(message);
  }

  sendText(text) {
    this.say(wire.typed(text));
    this.#dialogue.typed(text);
  }

  interrupt() {
    this.playback.hush();
    this.say(wire.cancelResponse());
  }

  sendAudio(pcm) {
    const connection = this.#outbox.open ? this.#connection : null;
    if (connection && connection.backlog > MOST_BACKLOG) {
      this.#dropped += 1;
    } else {
      connection?.send(wire.appendAudio(pcm));
    }
  }

  async showCamera() {
    const { devices } = this.#parts;
    const track = devices.cameraTrack;
    if (this.#phase !== "standing") {
      return;
    }
    const seen = await this.#media.showCamera(track);
    if (track && !seen && this.#phase === "standing" && devices.cameraTrack === track) {
      this.#handlers.onNotice("This avatar does not look at the camera.");
      await devices.setCamera(false);
    }
  }

  end(error) {
    if (this.#phase === "ended") {
      return;
    }
    const stood = this.#phase !== "starting";
    this.#phase = "ended";
    this.#outbox.pause();
    this.#over.abort(error);
    this.#recovery.stop();
    this.#redial?.hurry();
    this.#connection?.close(error);
    this.#media.close();
    this.#canvas?.close();
    this.#dialogue.end();
    const hungUp = error.code === "aborted" && !this.#persistent;
    if (hungUp || error.code === "conversation_ended" || error.code === "no_session_to_resume") {
      this.#parts.tokens.forget();
    }
    this.#settle(error);
    if (stood) {
      this.#handlers.onEnded(error);
    }
  }

  #dial() {
    this.#connection = new Connection(this.#parts.settings, {
      onOpen: () => this.#introduce(),
      onGreeting: (greeting) => this.#greeted(greeting),
      onState: (name, queuePosition) => this.#progress(name, queuePosition),
      onPicture: (picture) => {
        this.#picture = picture;
        if (this.#canvas) {
          this.#canvas.cut = picture.transparent;
        }
      },
      onMessage: (message) => this.#take(message),
      onFailed: (error) => this.#failed(error),
    });
    void this.#connection.dial(this.#token);
  }

  #introduce() {
    const tools = this.#parts.tools.all;
    if (tools.length > 0) {
      this.#connection?.send(wire.announceTools(tools));
    }
  }

  #greeted({ id, token, persistent, resumed, iceServers }) {
    if (this.#phase === "returning" && id !== this.#id) {
      this.end(new VisavisError("connection_lost", { text: "The server has lost the session." }));
      return;
    }
    this.#id = id;
    this.#persistent = persistent;
    this.#resumed = resumed;
    this.#media.iceServers = iceServers;
    if (token) {
      this.#token = token;
      this.#parts.tokens.keep(token);
    }
  }

  #progress(name, queuePosition) {
    if (this.#phase === "starting") {
      this.#handlers.onState(name, queuePosition);
      if (name === "DownloadingAssets") {
        void showPoster(this.#parts.settings, this.#over.signal);
      }
    }
  }

  #take(message) {
    const { type, data, text } = message;
    switch (type) {
      case "conversation.connected.warning":
        this.#handlers.onNotice(text);
        break;
      case "conversation.connected.expiring":
        this.#handlers.onExpiring({
          reason: data.reason ?? "sessionTimeout",
          seconds: Number(data.seconds ?? 0),
          preventable: data.preventable !== false,
          message: text,
        });
        break;
      case "conversation.connected.resumed":
        this.#handlers.onRestored(data.items, data.variables ?? {});
        break;
      case "realtime.session.created":
        this.#remind();
        break;
      case "realtime.session.updated":
        this.#outbox.begin((held) => this.#connection?.send(held));
        this.#parts.devices.start();
        break;
      case "webrtc.signaling.offer":
        this.#media.offer(data.sdp);
        break;
      case "webrtc.signaling.answer":
        this.#media.answer(data.sdp);
        break;
      case "webrtc.signaling.iceCandidate":
        this.#media.candidate(data.candidate);
        break;
      case "realtime.response.function_call_arguments.done":
        void this.#useTool(wire.toolCall(message));
        break;
      case "realtime.response.audio.done":
        this.playback.unhush();
        this.#dialogue.take(message);
        break;
      default:
        this.#dialogue.take(message);
    }
  }

  #remind() {
    const { settings, variables } = this.#parts;
    if (isPicture(settings.backdrop.background)) {
      this.#connection?.send(wire.setBackground(settings.backdrop.background));
    }
    if (this.#resumed) {
      return;
    }
    if (Object.keys(variables).length > 0) {
      this.#connection?.send(wire.setVariables(variables));
    }
    for (const { role, content } of settings.history) {
      this.#connection?.send(wire.message(content, role));
    }
  }

  async #useTool({ callId, responseId, name, args }) {
    this.#dialogue.usesTool(responseId);
    this.#handlers.onTool(name, args);
    const output = await this.#parts.tools.run(name, args);
    this.say(wire.toolResult(callId, output));
    this.say(wire.createResponse());
  }

  #flows() {
    if (this.#connection?.leaving || this.#phase === "ended") {
      return;
    }
    const first = this.#phase === "starting";
    this.#connection?.settle();
    this.#recovery.stop();
    this.#phase = "standing";
    if (first) {
      this.#handlers.onState("Connected");
      this.#handlers.onActivity(this.#dialogue.activity);
      this.#settle(null);
    }
    this.#flow.note({ standing: true, connected: true, moving: true });
    if (this.#parts.devices.cameraTrack) {
      void this.showCamera();
    }
  }

  #watchMedia(state) {
    if (this.#connection?.leaving) {
      return;
    }
    this.#flow.note({ connected: state === "connected" });
    if (state === "connected") {
      this.#recovery.stop();
    } else if (this.#phase === "standing") {
      this.#recovery.begin();
    } else if (this.#phase === "starting" && state === "failed") {
      this.end(new VisavisError("media_failed"));
    }
  }

  #networkChanged() {
    if (this.#phase === "standing") {
      this.#recovery.begin();
    } else {
      this.#redial?.hurry();
    }
  }

  #suspectLine() {
    if (this.#phase === "standing" && this.#token) {
      this.#lose();
    }
  }

  #failed(error) {
    if (this.#phase === "standing" && error.code === "connection_lost" && this.#token) {
      this.#lose();
    } else if (this.#phase !== "returning" || ENDINGS.has(error.code)) {
      this.end(error);
    } else if (PASSING.has(error.code) && !this.#redial?.late) {
      void this.#dialAgain();
    } else {
      if (error.code === "no_session_to_resume") {
        this.#parts.tokens.forget();
      }
      this.end(new VisavisError("connection_lost", { cause: error }));
    }
  }

  #lose() {
    this.#phase = "returning";
    this.#redial = new Redial(this.#parts.settings.timeouts.reconnect);
    this.#recovery.stop();
    this.#dialogue.end();
    this.#flow.note({ standing: false });
    void this.#dialAgain();
  }

  async #dialAgain() {
    this.#connection?.close();
    this.#outbox.pause();
    this.#parts.devices.stop();
    await this.#redial?.rest();
    if (this.#phase === "returning") {
      this.#dial();
    }
  }

  #signallingFailed(cause) {
    if (this.#phase === "starting") {
      this.end(new VisavisError("media_failed", { cause }));
    } else {
      // A camera or a new path that could not be agreed upon: what stands goes on, and has its own time limits.
      console.warn("visavis: signalling failed", cause);
    }
  }
}
return { Session };
})();
const $tools = (() => {
const TIMEOUT_MS = 20_000;


class ToolBox {
  #tools = new Map();

  constructor(tools) {
    for (const tool of tools) {
      this.add(tool);
    }
  }

  get all() {
    return [...this.#tools.values()];
  }

  add(tool) {
    if (!tool.name || typeof tool.run !== "function") {
      throw new TypeError("a tool needs a name and a function run");
    }
    this.#tools.set(tool.name, tool);
  }

  remove(name) {
    this.#tools.delete(name);
  }

  async run(name, args) {
    const tool = this.#tools.get(name);
    if (!tool) {
      return JSON.stringify({ error: `this page has no tool called ${name}` });
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("the tool did not answer in time")), TIMEOUT_MS);
    });
    try {
      const result = await Promise.race([tool.run(args), late]);
      return typeof result === "string" ? result : JSON.stringify(result ?? null);
    } catch (error) {
      return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
    } finally {
      clearTimeout(timer);
    }
  }
}
return { ToolBox };
})();
const $transcript = (() => {
class Transcript {
  #items;

  constructor(items) {
    this.#items = Object.freeze([...items]);
  }

  get items() {
    return this.#items;
  }

  add({ side, text, state }) {
    if (state === "final" && text) {
      this.#items = Object.freeze([...this.#items, { role: side === "user" ? "user" : "assistant", content: text }]);
    }
  }

  restore(items) {
    const entries = Array.isArray(items) ? items : [];
    this.#items = Object.freeze(entries.map(itemOf));
  }
}

function itemOf({ role, content }) {
  return { role: role === "user" ? "user" : "assistant", content: String(content) };
}
return { Transcript };
})();
const $scene = (() => {
const { pause } = $bounded;
const { backdropOf } = $backdrop;
const { ConnectionState } = $connection_state;
const { Devices } = $devices;
const { VisavisError, asVisavisError } = $errors;
const { settle } = $options;
const { ResumeTokens } = $resume_tokens;
const { SceneEvent } = $scene_event;
const { Session } = $session;
const { ToolBox } = $tools;
const { Transcript } = $transcript;
const wire = $wire;

const WORTH_A_RETRY = new Set(["no_slot", "queue_timeout", "license_limit", "rate_limited"]);
const EMOTIONS = Object.freeze(["neutral", "happy", "sad", "surprised", "concerned", "stern", "amused"]);
const RETRIES = Object.freeze({ maxRetries: 0, delayMs: 2000 });


class Scene {
  connectionState = new ConnectionState();
  onDisconnectedEvent = new SceneEvent();
  onCaption = new SceneEvent();
  onActivity = new SceneEvent();
  onExpiring = new SceneEvent();
  onMedia = new SceneEvent();
  onAudioBlocked = new SceneEvent();
  onMicrophoneLevel = new SceneEvent();
  onMicrophoneLost = new SceneEvent();
  onNotice = new SceneEvent();
  onTool = new SceneEvent();
  onResumed = new SceneEvent();

  #settings;
  #tools;
  #tokens;
  #transcript;
  #variables;
  #requested;
  #preferred;
  #muted = false;
  #devices = null;
  #session = null;
  #sessionId = "";
  #connecting = null;
  #painted = Promise.resolve();
  #abort = new AbortController();

  constructor(options) {
    this.#settings = settle(options);
    const { element, persistence, server, avatarId, name } = this.#settings;
    this.#tools = new ToolBox(options.tools ?? []);
    this.#tokens = new ResumeTokens(persistence, server, avatarId || name);
    this.#transcript = new Transcript(this.#settings.history);
    this.#variables = { ...options.variables };
    this.#requested = this.#settings.requested;
    this.#preferred = { microphone: options.microphoneId ?? "", camera: options.cameraId ?? "" };
    this.#muted = element.muted;
  }

  connect({ retryOptions } = {}) {
    if (this.#session && !this.#connecting) {
      return Promise.resolve(this.#sessionId);
    }
    if (!this.#connecting) {
      this.#abort = new AbortController();
      this.#connecting = this.#connect({ ...RETRIES, ...retryOptions }, this.#abort);
    }
    return this.#connecting;
  }

  disconnect() {
    const error = new VisavisError("aborted");
    this.#abort.abort(error);
    this.#session?.end(error);
  }

  isConnected() {
    return this.connectionState.getConnectionState().name === "Connected";
  }

  keepAlive() {
    this.#session?.say(wire.keepAlive());
  }

  get sessionId() {
    return this.#sessionId;
  }

  session() {
    const scene = this;
    return {
      get sessionId() {
        return scene.sessionId;
      },
      connect: (options) => scene.connect(options),
      disconnect: () => scene.disconnect(),
    };
  }

  sendText(text) {
    this.#standing?.sendText(text);
    return this.#standing !== null;
  }

  interrupt() {
    this.#standing?.interrupt();
    return this.#standing !== null;
  }

  setVariables(values) {
    Object.assign(this.#variables, values);
    this.#session?.say(wire.setVariables(values));
  }

  setBackground(background) {
    // One after the other: the last one stays, also where an earlier one is a file that takes its time.
    const set = this.#painted.then(async () => {
      const given = await backdropOf(background);
      this.#settings.backdrop.background = given;
      this.#session?.say(wire.setBackground(given));
    });
    this.#painted = set.catch(() => undefined);
    return set;
  }

  setEmotion(emotion, intensity = 1) {
    if (!EMOTIONS.includes(emotion)) {
      throw new TypeError(`an emotion is one of ${EMOTIONS.join(", ")}`);
    }
    if (!(intensity >= 0 && intensity <= 1)) {
      throw new TypeError("an intensity lies between 0 and 1");
    }
    this.#standing?.say(wire.setEmotion(emotion, intensity));
    return this.#standing !== null;
  }

  get picture() {
    return this.#session?.picture ?? null;
  }

  addTool(tool) {
    this.#tools.add(tool);
    this.#session?.say(wire.announceTools([tool]));
  }

  removeTool(name) {
    this.#tools.remove(name);
  }

  get history() {
    return this.#transcript.items;
  }

  get activity() {
    return this.#session?.activity ?? "idle";
  }

  async setMicrophone(on) {
    this.#requested = { ...this.#requested, microphone: on };
    await this.#devices?.setMicrophone(on);
  }

  async setCamera(on) {
    this.#requested = { ...this.#requested, camera: on };
    await this.#devices?.setCamera(on);
    return on && this.cameraOn;
  }

  get microphoneOn() {
    return this.#devices?.microphoneOn ?? false;
  }

  get cameraOn() {
    return this.cameraStream !== null;
  }

  get cameraStream() {
    return this.#devices?.cameraStream ?? null;
  }

  async chooseMicrophone(deviceId) {
    this.#preferred.microphone = deviceId;
    await this.#devices?.chooseMicrophone(deviceId);
  }

  async chooseCamera(deviceId) {
    this.#preferred.camera = deviceId;
    await this.#devices?.chooseCamera(deviceId);
  }

  async chooseSpeaker(deviceId) {
    const { element } = this.#settings;
    if (!("setSinkId" in element)) {
      throw new VisavisError("not_supported", { text: "This browser leaves the choice of speakers to the system." });
    }
    try {
      await element.setSinkId(deviceId);
    } catch (cause) {
      throw new VisavisError("no_device", { text: "The speaker cannot be used.", cause });
    }
  }

  get microphoneId() {
    return this.#devices?.microphoneId || this.#preferred.microphone;
  }

  get cameraId() {
    return this.#devices?.cameraId || this.#preferred.camera;
  }

  get volume() {
    return this.#settings.element.volume;
  }

  set volume(volume) {
    this.#settings.element.volume = Math.min(1, Math.max(0, volume));
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    this.#session?.playback.mute(muted);
  }

  async unblockAudio() {
    await this.#session?.playback.unblock();
  }

  get droppedPieces() {
    return this.#session?.droppedPieces ?? 0;
  }

  get #standing() {
    return this.isConnected() ? this.#session : null;
  }

  async #connect({ maxRetries, delayMs }, abort) {
    const { timeouts, required } = this.#settings;
    const timer = timeouts.connect
      ? setTimeout(() => abort.abort(new VisavisError("connect_timeout")), timeouts.connect)
      : undefined;
    this.connectionState.enter("SearchingForDigitalPerson");
    try {
      if (!globalThis.RTCPeerConnection) {
        throw new VisavisError("not_supported", { text: "This browser has no WebRTC." });
      }
      this.#devices = this.#openDevices();
      // Before dialling: nobody's place is taken by a visitor who still reads the browser's question.
      await this.#devices.request(this.#requested, required, { milliseconds: timeouts.devices, signal: abort.signal });
      for (let tries = 0; ; tries += 1) {
        try {
          return await this.#begin(this.#devices, abort.signal);
        } catch (error) {
          if (!(error instanceof VisavisError && WORTH_A_RETRY.has(error.code) && tries < maxRetries)) {
            throw error;
          }
        }
        this.connectionState.enter("SearchingForDigitalPerson");
        await pause(delayMs, abort.signal);
      }
    } catch (error) {
      this.#free();
      this.#connecting = null;
      this.connectionState.enter("Disconnected");
      throw asVisavisError(error);
    } finally {
      clearTimeout(timer);
      this.#connecting = null;
    }
  }

  async #begin(devices, signal) {
    signal.throwIfAborted();
    this.#transcript = new Transcript(this.#settings.history);
    const session = new Session(
      {
        settings: this.#settings,
        devices,
        tools: this.#tools,
        tokens: this.#tokens,
        variables: this.#variables,
        muted: this.#muted,
      },
      {
        onState: (name, queuePosition) => this.connectionState.enter(name, queuePosition),
        onCaption: (caption) => {
          this.#transcript.add(caption);
          this.onCaption.tell(caption);
        },
        onActivity: (activity) => this.onActivity.tell(activity),
        onExpiring: (expiring) => this.onExpiring.tell(expiring),
        onMedia: (flowing) => this.onMedia.tell({ flowing }),
        onBlocked: () => this.onAudioBlocked.tell(),
        onNotice: (text) => this.onNotice.tell(text),
        onTool: (name, args) => this.onTool.tell({ name, args }),
        onRestored: (items, variables) => {
          this.#transcript.restore(items);
          Object.assign(this.#variables, variables);
          this.onResumed.tell({ history: this.history, variables: { ...this.#variables } });
        },
        onEnded: (error) => this.#ended(error),
      },
    );
    this.#session = session;
    try {
      this.#sessionId = await session.begin(signal);
    } catch (error) {
      this.#session = null;
      throw error;
    }
    return this.#sessionId;
  }

  #openDevices() {
    return new Devices(
      {
        onPiece: (pcm) => this.#session?.sendAudio(pcm),
        onLevel: (level) => this.onMicrophoneLevel.tell(level),
        onMicrophoneLost: (error) => this.onMicrophoneLost.tell(error),
        onCamera: async () => this.#session?.showCamera(),
      },
      this.#preferred,
    );
  }

  #ended(error) {
    this.#free();
    this.connectionState.enter("Disconnected");
    const { code, name, message, reason } = error;
    this.onDisconnectedEvent.tell(this, this.#sessionId, reason, { code, name, message });
  }

  #free() {
    this.#session = null;
    this.#devices?.close();
    this.#devices = null;
  }
}
return { Scene };
})();
const $visavis = (() => {
const { Scene } = $scene;
const { ConnectionStateTypes } = $connection_state;
const { ConnectionErrorTypes, DisconnectReasons, VisavisError } = $errors;
const { listAvatars } = $avatars;
return { Scene, ConnectionStateTypes, ConnectionErrorTypes, DisconnectReasons, VisavisError, listAvatars };
})();
return $visavis;
});
