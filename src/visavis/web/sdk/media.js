import { Peer } from "./peer.js";
import { Playback } from "./playback.js";

/**
 * @typedef {object} MediaHandlers
 * @property {(message: object) => void} send  to the server
 * @property {() => void} onFlowing  the newest connection stands, and its first frame or sound is there
 * @property {(state: "connected" | "disconnected" | "failed") => void} onConnection  of the newest connection
 * @property {(moving: boolean) => void} onMotion  the picture stands still, or moves again
 * @property {() => void} onBlocked  the browser plays no sound until `unblock`
 * @property {(cause: unknown) => void} onError  signalling went wrong
 */

/** The avatar's picture and voice: the WebRTC connections that bring them and the element that plays them. */
export class Media {
  /** @type {RTCIceServer[]} */
  iceServers = [];
  #handlers;
  #audioOnly;
  #playback;
  /** The newest, and before it those that it has not yet replaced. @type {Peer[]} */
  #peers = [];
  #connected = false;
  #begun = false;
  #closed = false;
  /** Signalling is done in the order of its messages. @type {Promise<unknown>} */
  #signalling = Promise.resolve();

  /**
   * @param {HTMLMediaElement} element
   * @param {{audioOnly: boolean, muted: boolean}} options
   * @param {MediaHandlers} handlers
   */
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

  /** @param {RTCSessionDescriptionInit} description  the server's */
  offer(description) {
    void this.#signal(() => this.#accept(description));
  }

  /** @param {RTCIceCandidateInit} candidate  the server's */
  candidate(candidate) {
    void this.#signal(async () => this.#peers.at(-1)?.add(candidate));
  }

  /** @param {RTCSessionDescriptionInit} description  the server's, to an offer of this side */
  answer(description) {
    // Not in its turn: the offer's turn ends with it.
    this.#peers.at(-1)?.answered(description);
  }

  /** Look for new paths through the network. @returns {Promise<boolean>}  whether the server answered */
  async restart() {
    return (await this.#signal(async () => this.#peers.at(-1)?.restart())) ?? false;
  }

  /**
   * @param {MediaStreamTrack | null} track
   * @returns {Promise<boolean>}  whether the server takes it
   */
  async showCamera(track) {
    return (await this.#signal(async () => this.#peers.at(-1)?.showCamera(track))) ?? false;
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

  /** @param {RTCPeerConnectionState} state */
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

  /**
   * @template T
   * @param {() => Promise<T>} step
   * @returns {Promise<T | undefined>}  undefined when it failed or came too late
   */
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

  /** @param {readonly Peer[]} peers */
  #closePeers(peers) {
    for (const peer of peers) {
      peer.close();
    }
  }
}
