/** How often the picture is looked at, in milliseconds, and how many looks without a new frame are a standstill. */
const LOOK_MS = 500;
const PATIENCE = 4;
/** How long what is still on its way may take after an interruption, in milliseconds. */
const HUSH_MS = 1000;

/**
 * @typedef {object} PlaybackHandlers
 * @property {() => void} onBegun  the first frame of a stream (or its first sound, where there is no picture) is there
 * @property {(moving: boolean) => void} onMotion  the picture stands still, or moves again
 * @property {() => void} onBlocked  the browser plays without sound until the visitor touches the page
 */

/**
 * The avatar's picture and voice in a media element. The voice comes from this element too, so that the browser's echo
 * canceller knows it.
 */
export class Playback {
  #element;
  #handlers;
  #abort = new AbortController();
  #frames = 0;
  /** Looks since the last new frame. */
  #still = 0;
  #watch = setInterval(() => this.#look(), LOOK_MS);
  /** Why the element makes no sound. */
  #muted;
  #blocked = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hushed;

  /**
   * @param {HTMLMediaElement} element
   * @param {boolean} muted  by the app
   * @param {PlaybackHandlers} handlers
   */
  constructor(element, muted, handlers) {
    this.#element = element;
    this.#muted = muted;
    this.#handlers = handlers;
    element.addEventListener("loadeddata", () => handlers.onBegun(), { signal: this.#abort.signal });
  }

  /** @param {MediaStream} stream */
  attach(stream) {
    if (this.#element.srcObject !== stream) {
      this.#element.srcObject = stream;
      this.#sound();
      void this.#play();
    }
  }

  /** @param {boolean} muted  by the app */
  mute(muted) {
    this.#muted = muted;
    this.#sound();
  }

  /** Silent until `unhush`, or for a second. */
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

  /** To be called from a click: lets the voice be heard. */
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
