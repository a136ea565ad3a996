import { SceneEvent } from "./scene-event.js";

/** Steps from nothing to a conversation, in their order. */
export const ConnectionStateTypes = Object.freeze({
  Disconnected: "Disconnected",
  SearchingForDigitalPerson: "SearchingForDigitalPerson",
  DownloadingAssets: "DownloadingAssets",
  ConnectingToDigitalPerson: "ConnectingToDigitalPerson",
  Connected: "Connected",
});

/** @typedef {keyof typeof ConnectionStateTypes} StateName */

/** @typedef {import("./visavis.js").ConnectionStateData} ConnectionStateData */

const NAMES = /** @type {StateName[]} */ (Object.keys(ConnectionStateTypes));
/** Disconnected, the first of the names, counts as one. */
const TOTAL_STEPS = 5;
const LAST_STEP = TOTAL_STEPS - 1;

/** How far a scene has come. */
export class ConnectionState {
  /** @type {SceneEvent<[ConnectionStateData]>} */
  onConnectionStateUpdated = new SceneEvent();
  #data = dataOf("Disconnected");

  getConnectionState() {
    return this.#data;
  }

  /**
   * Tell the state, unless it is told already.
   *
   * @param {StateName} name
   * @param {number} [queuePosition]  1 is next
   */
  enter(name, queuePosition) {
    if (this.#data.name !== name || this.#data.queuePosition !== queuePosition) {
      this.#data = dataOf(name, queuePosition);
      this.onConnectionStateUpdated.tell(this.#data);
    }
  }
}

/**
 * @param {StateName} name
 * @param {number} [queuePosition]
 * @returns {ConnectionStateData}
 */
function dataOf(name, queuePosition) {
  const currentStep = NAMES.indexOf(name);
  return Object.freeze({
    name,
    currentStep,
    totalSteps: TOTAL_STEPS,
    percentageLoaded: (100 * currentStep) / LAST_STEP,
    ...(queuePosition === undefined ? {} : { queuePosition }),
  });
}
