const LONGEST_S = 36_000; // the server takes no more for a real pace, and a page may stay open overnight

/** Seconds that a person has been looking: time with the tab hidden does not count. */
export class Stopwatch {
  constructor() {
    this.total = 0; // ms up to the last pause
    this.since = document.hidden ? null : performance.now();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#pause() : this.#resume()));
  }

  restart() {
    this.total = 0;
    this.since = document.hidden ? null : performance.now();
  }

  /** @returns {number} seconds, to the millisecond, at most ten hours */
  read() {
    const running = this.since === null ? 0 : performance.now() - this.since;
    return Math.min(Math.round(this.total + running) / 1000, LONGEST_S);
  }

  #pause() {
    if (this.since !== null) this.total += performance.now() - this.since;
    this.since = null;
  }

  #resume() {
    this.since ??= performance.now();
  }
}
