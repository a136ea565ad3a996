/** Where the part that runs on the audio thread is found: beside this file. */
export function workletAddress() {
  return new URL("microphone-worklet.js", import.meta.url).href;
}
