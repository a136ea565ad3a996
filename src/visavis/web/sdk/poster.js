import { findAvatar } from "./avatars.js";
import { credentialOf } from "./credential.js";

/**
 * Show the avatar's still picture until it moves, where the page shows none of its own.
 *
 * @param {import("./options.js").Settings} settings
 * @param {AbortSignal} signal
 */
export async function showPoster(settings, signal) {
  const { element, canvas, poster, audioOnly, server, avatarId, name } = settings;
  if (!poster || audioOnly || canvas || !(element instanceof HTMLVideoElement) || element.poster || !(avatarId || name)) {
    return;
  }
  try {
    const { picture } = await findAvatar(server, await credentialOf(settings, signal), { avatarId, name });
    if (!signal.aborted) {
      element.poster = picture;
    }
  } catch (error) {
    // The moving picture comes in a moment all the same.
    console.debug("visavis: no still picture", error);
  }
}
