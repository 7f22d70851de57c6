/** Typed HTTP to the order functions; every refusal becomes a Problem (RFC 9457). */
import type { Line, Order, Page } from "./orders";
import { parseRetryAfter } from "./retry";

export interface NewOrder {
  currency: string;
  lines: readonly Line[];
}

export interface FieldError {
  pointer: string;
  detail: string;
}

export class Problem extends Error {
  /** The HTTP status; 0 when no answer came at all. */
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly retryAfterMs: number | undefined;

  constructor(of: { status: number; title: string; detail?: string; errors?: FieldError[]; retryAfterMs?: number }) {
    super(of.detail ? `${of.title}: ${of.detail}` : of.title);
    this.status = of.status;
    this.title = of.title;
    this.detail = of.detail ?? "";
    this.errors = of.errors ?? [];
    this.retryAfterMs = of.retryAfterMs;
  }

  /** Nobody decided anything: the same request, with the same key, may well be taken later. */
  get isTemporary(): boolean {
    return [0, 408, 429, 502, 503, 504].includes(this.status);
  }
}

/** Where the API's access token comes from. */
export interface Tokens {
  accessToken(): Promise<string>;
  /** A token other than `rejected`, which the API has refused. */
  replace(rejected: string): Promise<string>;
}

// A cold start takes seconds: the edge holds the request while the first replica comes up.
const timeoutMs = 60_000;

export class Api {
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  place(body: string, idempotencyKey: string): Promise<Order> {
    // A structured-field string carries its quotes.
    const headers = { "Content-Type": "application/json", "Idempotency-Key": `"${idempotencyKey}"` };
    return this.#send("/v1/orders", { method: "POST", body, headers });
  }

  order(correlationId: string): Promise<Order> {
    return this.#send(`/v1/orders/${encodeURIComponent(correlationId)}`);
  }

  orders(cursor?: string): Promise<Page> {
    const query = new URLSearchParams({ limit: "20", ...(cursor && { cursor }) });
    return this.#send(`/v1/orders?${query}`);
  }

  async #send<T>(path: string, init: RequestInit = {}): Promise<T> {
    const token = await this.#tokens.accessToken().catch(noAnswer);
    let response = await attempt(path, init, token);
    if (response.status === 401) {
      response = await attempt(path, init, await this.#tokens.replace(token).catch(noAnswer));
    }
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as T;
  }
}

function attempt(path: string, init: RequestInit, token: string): Promise<Response> {
  const headers = { ...init.headers, Accept: "application/json", Authorization: `Bearer ${token}` };
  return fetch(path, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) }).catch(noAnswer);
}

function noAnswer(): never {
  throw new Problem({ status: 0, title: "No answer", detail: "The shop could not be reached." });
}

/** Gateways answer in HTML, and a problem's members are all optional: expect anything. */
export async function problemOf(response: Response): Promise<Problem> {
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  const body: unknown = isProblem ? await response.json().catch(() => null) : null;
  const { title, detail, errors } = (body ?? {}) as Record<string, unknown>;
  return new Problem({
    status: response.status,
    title: typeof title === "string" ? title : (titles[response.status] ?? `Unexpected answer ${response.status}`),
    detail: typeof detail === "string" ? detail : undefined,
    errors: Array.isArray(errors) ? errors.filter(isFieldError) : undefined,
    retryAfterMs: parseRetryAfter(response.headers.get("Retry-After")),
  });
}

function isFieldError(value: unknown): value is FieldError {
  const error = value as FieldError | null;
  return typeof error?.pointer === "string" && typeof error.detail === "string";
}

const titles: Record<number, string> = {
  401: "Not signed in",
  403: "Not allowed",
  404: "Not found",
  413: "The order is too large",
  422: "The order cannot be taken",
  429: "Too many requests",
  502: "The shop is not reachable",
  503: "The shop is busy",
  504: "The shop took too long",
};

/** The basket line a JSON pointer such as "/lines/2/quantity" or "#/lines/2" speaks of. */
export function lineOfPointer(pointer: string): number | undefined {
  const match = /^#?\/lines\/(\d+)(?:\/|$)/.exec(pointer);
  return match ? Number(match[1]) : undefined;
}
