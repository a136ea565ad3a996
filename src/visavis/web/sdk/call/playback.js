/** How often the picture is looked at, in milliseconds, and how many looks without a new frame are a standstill. */
const LOOK_MS = 500;
const PATIENCE = 4;

/**
 * @typedef {object} PlaybackHandlers
 * @property {() => void} onPicture  the first frame of a stream is there
 * @property {(moving: boolean) => void} onMotion  the picture stands still, or moves again
 * @property {() => void} onBlocked  the browser plays without sound until the visitor touches the page
 */

/**
 * The avatar's picture and voice in a video element. The voice comes from this element too, so that the browser's echo
 * canceller knows it.
 */
export class Playback {
  #video;
  #handlers;
  #abort = new AbortController();
  #frames = 0;
  /** Looks since the last new frame. */
  #still = 0;
  #watch = setInterval(() => this.#look(), LOOK_MS);

  /**
   * @param {HTMLVideoElement} video
   * @param {PlaybackHandlers} handlers
   */
  constructor(video, handlers) {
    this.#video = video;
    this.#handlers = handlers;
    video.addEventListener("loadeddata", () => handlers.onPicture(), { signal: this.#abort.signal });
  }

  /** @param {MediaStream} stream */
  attach(stream) {
    if (this.#video.srcObject !== stream) {
      this.#video.srcObject = stream;
      this.#video.muted = false;
      void this.#play();
    }
  }

  /** To be called from a click: lets the voice be heard. */
  async unblock() {
    this.#video.muted = false;
    await this.#video.play();
  }

  close() {
    clearInterval(this.#watch);
    this.#abort.abort();
    this.#video.srcObject = null;
  }

  async #play() {
    try {
      await this.#video.play();
    } catch (error) {
      // "AbortError": another stream took this one's place, or the call is over.
      if (this.#abort.signal.aborted || !(error instanceof DOMException) || error.name !== "NotAllowedError") {
        return;
      }
      this.#video.muted = true;
      this.#handlers.onBlocked();
      await this.#video.play().catch(() => undefined);
    }
  }

  #look() {
    const frames = this.#video.getVideoPlaybackQuality().totalVideoFrames;
    // A page that is not seen shows no frames, whatever arrives.
    if (frames !== this.#frames || document.visibilityState === "hidden" || !this.#video.srcObject) {
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
