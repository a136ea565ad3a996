/**
 * Keep a phone's screen on during a call. Browsers take the lock back when the page is hidden, so it is asked for again.
 *
 * @returns {() => void}  lets the screen sleep again
 */
export function keepAwake() {
  const abort = new AbortController();
  /** @type {WakeLockSentinel | null} */
  let lock = null;
  const ask = async () => {
    try {
      lock = (await navigator.wakeLock?.request("screen")) ?? null;
    } catch {
      // Refused on a low battery, for instance: the call goes on with a screen that sleeps.
      lock = null;
    }
    if (abort.signal.aborted) {
      void lock?.release();
    }
  };
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void ask(), {
    signal: abort.signal,
  });
  void ask();
  return () => {
    abort.abort();
    void lock?.release();
  };
}
