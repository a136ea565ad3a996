/**
 * @typedef {object} PlaybackHandlers
 * @property {() => void} onPicture  the first frame of a stream is there
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
}
