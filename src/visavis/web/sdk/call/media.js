import { Peer } from "./peer.js";
import { Playback } from "./playback.js";

/**
 * @typedef {object} MediaHandlers
 * @property {(message: object) => void} send  to the server
 * @property {() => void} onFlowing  connected, and the first frame is there
 * @property {(state: "connected" | "disconnected" | "failed") => void} onConnection
 * @property {(moving: boolean) => void} onMotion  the picture stands still, or moves again
 * @property {() => void} onBlocked  the browser plays no sound until `unblock`
 * @property {(cause: unknown) => void} onError  signalling went wrong
 */

/** The avatar's picture and voice: the WebRTC connections that bring them and the element that plays them. */
export class Media {
  /** @type {RTCIceServer[]} */
  iceServers = [];
  #handlers;
  #playback;
  /** The newest, and before it those that it has not yet replaced. @type {Peer[]} */
  #peers = [];
  #connected = false;
  #pictured = false;
  #closed = false;
  /** Signalling is done in the order of its messages. */
  #signalling = Promise.resolve();

  /**
   * @param {HTMLVideoElement} video
   * @param {MediaHandlers} handlers
   */
  constructor(video, handlers) {
    this.#handlers = handlers;
    this.#playback = new Playback(video, {
      onPicture: () => {
        this.#pictured = true;
        this.#check();
      },
      onMotion: handlers.onMotion,
      onBlocked: handlers.onBlocked,
    });
  }

  /** @param {RTCSessionDescriptionInit} description  the server's */
  offer(description) {
    this.#signal(() => this.#accept(description));
  }

  /** @param {RTCIceCandidateInit} candidate  the server's */
  candidate(candidate) {
    this.#signal(async () => this.#peers.at(-1)?.add(candidate));
  }

  /** To be called from a click. */
  async unblock() {
    await this.#playback.unblock();
  }

  close() {
    this.#closed = true;
    this.#closePeers(this.#peers.splice(0));
    this.#playback.close();
  }

  /** @param {RTCSessionDescriptionInit} offer */
  async #accept(offer) {
    const renewed = this.#peers.length > 0;
    /** @type {MediaStream | null} */
    let stream = null;
    const peer = new Peer(this.iceServers, {
      send: this.#handlers.send,
      onStream: (arrived) => {
        stream = arrived;
        if (!renewed) {
          this.#playback.attach(arrived);
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
    this.#peers.push(peer);
    await peer.accept(offer);
  }

  /** @param {RTCPeerConnectionState} state */
  #follow(state) {
    if (state === "connected" || state === "disconnected" || state === "failed") {
      this.#connected ||= state === "connected";
      this.#handlers.onConnection(state);
      this.#check();
    }
  }

  #check() {
    if (this.#connected && this.#pictured) {
      this.#handlers.onFlowing();
    }
  }

  /** @param {() => Promise<void>} step */
  #signal(step) {
    this.#signalling = this.#signalling.then(async () => {
      if (this.#closed) {
        return;
      }
      try {
        await step();
      } catch (cause) {
        // What fails because the connection was closed under it is no error.
        if (!this.#closed) {
          this.#handlers.onError(cause);
        }
      }
    });
  }

  /** @param {readonly Peer[]} peers */
  #closePeers(peers) {
    for (const peer of peers) {
      peer.close();
    }
  }
}
