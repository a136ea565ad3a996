import * as wire from "./wire.js";

/**
 * @typedef {object} PeerHandlers
 * @property {(message: object) => void} send
 * @property {(stream: MediaStream) => void} onStream
 * @property {(state: RTCPeerConnectionState) => void} onState
 */

/** The answering side of one WebRTC connection. A further offer of the server gets a `Peer` of its own. */
export class Peer {
  #handlers;
  #connection;
  /** Candidates that came before the offer was taken. @type {RTCIceCandidateInit[]} */
  #early = [];
  #ready = false;

  /**
   * @param {RTCIceServer[]} iceServers
   * @param {PeerHandlers} handlers
   */
  constructor(iceServers, handlers) {
    this.#handlers = handlers;
    this.#connection = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.#connection.ontrack = ({ streams, track }) => handlers.onStream(streams[0] ?? new MediaStream([track]));
    this.#connection.onconnectionstatechange = () => handlers.onState(this.#connection.connectionState);
  }

  /** @param {RTCSessionDescriptionInit} offer */
  async accept(offer) {
    /** @type {RTCIceCandidate[]} */
    const gathered = [];
    let answered = false;
    this.#connection.onicecandidate = ({ candidate }) => {
      // The end marker is of no use to the server, and some refuse it.
      if (!candidate?.candidate) {
        return;
      }
      if (answered) {
        this.#handlers.send(wire.iceCandidate(candidate));
      } else {
        gathered.push(candidate);
      }
    };
    await this.#connection.setRemoteDescription(offer);
    this.#ready = true;
    for (const candidate of this.#early.splice(0)) {
      await this.#connection.addIceCandidate(candidate);
    }
    const description = await this.#connection.createAnswer();
    await this.#connection.setLocalDescription(description);
    this.#handlers.send(wire.answer(description));
    answered = true;
    for (const candidate of gathered) {
      this.#handlers.send(wire.iceCandidate(candidate));
    }
  }

  /** @param {RTCIceCandidateInit} candidate */
  async add(candidate) {
    if (this.#ready) {
      await this.#connection.addIceCandidate(candidate);
    } else {
      this.#early.push(candidate);
    }
  }

  /** Frees the connection; no handler is called any more. */
  close() {
    this.#connection.ontrack = null;
    this.#connection.onicecandidate = null;
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
  }
}
