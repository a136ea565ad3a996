import * as wire from "./wire.js";

/** How long the server may take to answer an offer of this side, in milliseconds. */
const ANSWER_MS = 5000;

/**
 * @typedef {object} PeerHandlers
 * @property {(message: object) => void} send
 * @property {(track: MediaStreamTrack, stream: MediaStream) => void} onTrack
 * @property {(state: RTCPeerConnectionState) => void} onState
 */

/**
 * One WebRTC connection: it answers the server's offer, and may then make offers of its own, for new paths through the
 * network or for a camera. A further offer of the server gets a `Peer` of its own.
 */
export class Peer {
  #handlers;
  #connection;
  #audioOnly;
  /** Candidates that came before the offer was taken. @type {RTCIceCandidateInit[]} */
  #early = [];
  #ready = false;
  /** Candidates of this side, which the server can use only after the description they belong to. @type {object[]} */
  #gathered = [];
  #described = false;
  /** Where the answer to an own offer is awaited. @type {((answer: RTCSessionDescriptionInit | null) => void) | null} */
  #awaiting = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;

  /**
   * @param {RTCIceServer[]} iceServers
   * @param {boolean} audioOnly
   * @param {PeerHandlers} handlers
   */
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

  /** @param {RTCSessionDescriptionInit} offer  the server's */
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

  /** @param {RTCIceCandidateInit} candidate  the server's */
  async add(candidate) {
    if (this.#ready) {
      await this.#connection.addIceCandidate(candidate);
    } else {
      this.#early.push(candidate);
    }
  }

  /** Look for new paths through the network (ICE restart). @returns {Promise<boolean>}  whether the server answered */
  async restart() {
    return this.#offer({ iceRestart: true });
  }

  /**
   * @param {MediaStreamTrack | null} track  of the visitor's camera
   * @returns {Promise<boolean>}  whether the server takes it
   */
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

  /** @param {RTCSessionDescriptionInit} answer  the server's, to an offer of this side */
  answered(answer) {
    this.#awaiting?.(answer);
  }

  /** Frees the connection; no handler is called any more. */
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

  /** @param {RTCOfferOptions} options @returns {Promise<boolean>}  whether it was answered */
  async #offer(options) {
    /** @type {Promise<RTCSessionDescriptionInit | null>} */
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

  /** @param {RTCSessionDescriptionInit} description  of this side */
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
