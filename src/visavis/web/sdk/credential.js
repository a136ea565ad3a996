import { bounded } from "./bounded.js";
import { VisavisError } from "./errors.js";

/**
 * The license or token to call with.
 *
 * @param {import("./options.js").Settings} settings
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 * @throws {VisavisError}
 */
export async function credentialOf({ credential, timeouts }, signal) {
  /** @type {unknown} */
  let given;
  try {
    const asking = Promise.resolve(credential());
    given = await bounded(asking, { milliseconds: timeouts.token, code: "token_failed", signal });
  } catch (cause) {
    throw cause instanceof VisavisError ? cause : new VisavisError("token_failed", { cause });
  }
  if (typeof given !== "string" || given === "") {
    throw new VisavisError("token_failed", { text: "The license or token is empty." });
  }
  return given;
}
