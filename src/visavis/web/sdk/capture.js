import { VisavisError } from "./errors.js";

/** How browsers say that there is no such device. */
const GONE = new Set(["NotFoundError", "OverconstrainedError"]);

/** @typedef {"microphone" | "camera"} Kind */

/** @param {string} deviceId  "": the browser's choice */
function choice(deviceId) {
  // Chromium takes "ideal" for no more than a hint, and prefers its default device.
  return deviceId ? { deviceId: { exact: deviceId } } : {};
}

/** @type {Readonly<Record<Kind, (deviceId: string) => MediaStreamConstraints>>} */
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

/**
 * Ask the visitor for devices; of several, all or none are given.
 *
 * @param {Partial<Record<Kind, string>>} wanted  each with the preferred device's id, or "": the browser's choice, which
 *   is also taken when that device is gone
 * @returns {Promise<MediaStream>}
 * @throws {VisavisError}
 */
export async function capture(wanted) {
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

/**
 * @param {boolean} microphone  whether it is among what is asked for
 * @throws {VisavisError}  this browser, or this page's address, knows no devices
 */
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

/**
 * @param {unknown} cause
 * @param {string} what
 */
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

/** @param {MediaStream | null} stream */
export function stop(stream) {
  for (const track of stream?.getTracks() ?? []) {
    track.stop();
  }
}
