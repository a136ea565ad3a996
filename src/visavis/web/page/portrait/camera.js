/** The visitor's camera in a video element, until a picture is taken or it is closed. */
export class Camera {
  /** @type {MediaStream | null} */
  #stream = null;
  #video;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
  }

  /** Whether this browser lets pages have a camera here. */
  static get possible() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  /** Raises what `getUserMedia` raises. */
  async open() {
    const wanted = { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1440 } };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  /**
   * What it sees now, as others see the visitor: not mirrored.
   *
   * @returns {Promise<File>}
   */
  async shoot() {
    const canvas = document.createElement("canvas");
    canvas.width = this.#video.videoWidth;
    canvas.height = this.#video.videoHeight;
    canvas.getContext("2d")?.drawImage(this.#video, 0, 0);
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
    if (!blob || !blob.size) {
      throw new Error("the camera shows nothing yet");
    }
    return new File([blob], "camera.jpg", { type: "image/jpeg" });
  }

  close() {
    for (const track of this.#stream?.getTracks() ?? []) {
      track.stop();
    }
    this.#stream = null;
    this.#video.srcObject = null;
  }
}
