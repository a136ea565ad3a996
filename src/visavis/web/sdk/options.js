/** @typedef {import("./visavis.js").SceneOptions} SceneOptions */

/** Milliseconds; 0: without a limit. */
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

/** What is behind the avatar; "": the server's choice. It changes with the page's wishes. @typedef {{background: string}} Backdrop */

/** @typedef {Record<keyof typeof TIMEOUTS, number>} Limits */

/**
 * @typedef {object} Settings  a scene's options, complete and checked
 * @property {HTMLMediaElement} element  where the avatar is seen and heard
 * @property {HTMLCanvasElement | null} canvas  where it is seen instead, and the page behind it
 * @property {string} size  "": the server's own
 * @property {Backdrop} backdrop
 * @property {URL} server
 * @property {() => string | Promise<string>} credential  the license or token, asked for at each dialling
 * @property {string} avatarId
 * @property {string} name
 * @property {string} model
 * @property {{microphone: boolean, camera: boolean}} requested
 * @property {{microphone: boolean, camera: boolean}} required
 * @property {boolean} audioOnly
 * @property {false | "tab" | "browser"} persistence
 * @property {readonly {role: "user" | "assistant", content: string}[]} history
 * @property {boolean} poster
 * @property {Limits} timeouts
 */

/**
 * @param {SceneOptions} options
 * @returns {Settings}
 * @throws {TypeError}  they cannot work
 */
export function settle(options) {
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

/** A video that only a canvas shows. */
function hiddenVideo() {
  const video = document.createElement("video");
  // Else some phones would show it over the whole screen.
  video.playsInline = true;
  return video;
}

/**
 * @param {string | URL} given  with or without a slash at its end; of http, https, ws or wss
 * @returns {URL}  of http or https, with a slash at its end
 * @throws {TypeError}
 */
export function baseAddress(given) {
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
