/**
 * The tab's line to the hub: SignalR over a WebSocket, for ever. A connection counts as live
 * only once the hub has answered `resume`, because only from then on does it push to this tab.
 */
import { HttpTransportType, HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { orderOfEvent, type Order } from "./orders";
import { JitteredRetry } from "./retry";
import { Store } from "./store";

export interface Link {
  state: "live" | "connecting" | "reconnecting" | "offline";
  reason: string;
  /** The hub has hung up for good; only the customer's return brings the line back. */
  final?: boolean;
}

/** The last outcome seen. Numbers count the customer's outcomes within one epoch of the registry. */
export interface Position {
  epoch: string | null;
  number: number;
}

export const nowhere: Position = { epoch: null, number: 0 };

/** While its registry is away the hub pushes without an epoch: such news does not move us. */
export function advanced(position: Position, told: Partial<Position>): Position {
  if (!told.epoch || !told.number) return position;
  if (told.epoch === position.epoch && told.number <= position.number) return position;
  return { epoch: told.epoch, number: told.number };
}

/**
 * In an epoch we know, the events after our number are still to come: were the answer's number
 * taken now, a line lost before they arrive would skip them.
 */
export function resumed(position: Position, answer: Position): Position {
  return answer.epoch && answer.epoch !== position.epoch ? answer : position;
}

interface Handlers {
  accessToken(): Promise<string>;
  outcome(order: Order): void;
  /** News may have been missed: ask for the state of everything unfinished. */
  missed(): void;
}

const resumeTimeoutMs = 10_000;
/** A line that broke sooner than this has not earned a fresh start of the backoff. */
const settledMs = 5_000;

export class Hub {
  readonly link = new Store<Link>({ state: "connecting", reason: "Opening the line." });
  readonly #on: Handlers;
  readonly #retry = new JitteredRetry();
  #position = nowhere;
  #connection: HubConnection | undefined;
  #retryTimer: number | undefined;
  #settledTimer: number | undefined;

  constructor(on: Handlers) {
    this.#on = on;
  }

  start(): void {
    addEventListener("online", this.#wake);
    document.addEventListener("visibilitychange", this.#seen);
    this.#open();
  }

  stop(): void {
    removeEventListener("online", this.#wake);
    document.removeEventListener("visibilitychange", this.#seen);
    this.#drop();
  }

  #wake = (): void => {
    const { state } = this.link.get();
    if (state === "offline" || state === "reconnecting") this.#open();
  };

  #seen = (): void => {
    if (document.visibilityState === "visible") this.#wake();
  };

  #drop(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#settledTimer);
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.stop().catch(() => {});
  }

  /** Every opening is a new connection; what an older one still has to say is ignored. */
  #open(): void {
    this.#drop();
    const connection = this.#build();
    this.#connection = connection;
    connection.start().then(
      () => this.#resume(connection),
      (error: unknown) => this.#failed(connection, error),
    );
  }

  #build(): HubConnection {
    const connection = new HubConnectionBuilder()
      .withUrl("/hub", {
        accessTokenFactory: () => this.#on.accessToken(),
        transport: HttpTransportType.WebSockets,
        withCredentials: false,
      })
      .withAutomaticReconnect({
        nextRetryDelayInMilliseconds: ({ previousRetryCount, retryReason }) => {
          if (previousRetryCount > 0) this.#show(connection, "offline", retryReason);
          return this.#retry.nextDelayMs();
        },
      })
      .configureLogging(LogLevel.None) // The badge says it, with the reason.
      .build();
    connection.on("outcome", (message?: Partial<Position> & { event?: unknown }) => {
      const order = orderOfEvent(message?.event);
      if (message && connection === this.#connection) this.#position = advanced(this.#position, message);
      if (order) this.#on.outcome(order);
      return true; // The hub's delivery receipt, if it asked for one.
    });
    connection.on("resync", () => {
      this.#position = nowhere;
      this.#on.missed();
    });
    connection.onreconnecting((error) => {
      clearTimeout(this.#settledTimer);
      this.#show(connection, "reconnecting", error);
    });
    connection.onreconnected(() => this.#resume(connection));
    connection.onclose((error) => this.#closed(connection, error));
    return connection;
  }

  async #resume(connection: HubConnection): Promise<void> {
    try {
      const { epoch, number } = this.#position;
      const answer = await withTimeout(connection.invoke<Position>("resume", { epoch, after: number }));
      if (connection !== this.#connection) return;
      this.#position = resumed(this.#position, answer);
      this.#settledTimer = window.setTimeout(() => this.#retry.reset(), settledMs);
      this.link.set({ state: "live", reason: "Outcomes arrive the moment they are decided." });
      this.#on.missed();
    } catch (error) {
      this.#failed(connection, error);
    }
  }

  /** SignalR retries a line that was up, but never start(), nor a resume nobody answered. */
  #failed(connection: HubConnection, error: unknown): void {
    if (connection !== this.#connection) return;
    this.#drop();
    this.link.set({ state: "offline", reason: messageOf(error) });
    this.#retryTimer = window.setTimeout(() => this.#open(), this.#retry.nextDelayMs());
  }

  /** With a retry policy that never ends, only the hub's own goodbye closes a connection. */
  #closed(connection: HubConnection, error: Error | undefined): void {
    if (connection !== this.#connection) return;
    this.#drop();
    this.link.set({ state: "offline", reason: messageOf(error), final: true });
  }

  #show(connection: HubConnection, state: Link["state"], error: unknown): void {
    if (connection === this.#connection) this.link.set({ state, reason: messageOf(error) });
  }
}

function withTimeout<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("The hub did not answer resume.")), resumeTimeoutMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "The line was closed.";
}
