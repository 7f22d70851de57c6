/**
 * Endless retry with full jitter: the nth wait is uniform in 0..min(30 s, 0.5 s · 2ⁿ), so a
 * thousand tabs that lost the same replica do not come back in the same second. (SignalR's own
 * policy waits 0, 2, 10, 30 s without jitter, then gives up.)
 */
export class JitteredRetry {
  readonly #random: () => number;
  #failures = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  nextDelayMs(): number {
    const ceiling = Math.min(30_000, 500 * 2 ** this.#failures);
    this.#failures++;
    return this.#random() * ceiling;
  }

  reset(): void {
    this.#failures = 0;
  }
}

const longestWaitMs = 10 * 60_000;

/** Retry-After is either seconds or an HTTP date (RFC 9110 §10.2.3); anything else is ignored. */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (!header) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestWaitMs);
}
