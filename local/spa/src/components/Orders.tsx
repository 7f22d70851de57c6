import { useState } from "react";
import { newestFirst } from "../orders";
import type { Session } from "../session";
import { useStore } from "../store";
import { testId } from "../testids";
import { OrderRow } from "./OrderRow";
import { ParcelPicture } from "./pictures";

export function Orders({ session }: { session: Session }) {
  const state = useStore(session.orders);
  const orders = newestFirst(state);
  return (
    <section className="orders" id="orders" tabIndex={-1} aria-labelledby="orders-heading" data-testid={testId.orders}>
      <h2 id="orders-heading">My orders</h2>
      {state.unavailable && <Unavailable why={state.unavailable} retry={() => session.refresh()} />}
      {state.partial && (
        <p className="notice warn" role="status">
          Some orders may be missing from this list for the moment.
        </p>
      )}
      {orders.length > 0 && (
        <ol className="card order-list" aria-busy={!state.loaded}>
          {orders.map((order) => (
            <OrderRow key={order.correlationId} order={order} load={() => session.details(order.correlationId)} />
          ))}
        </ol>
      )}
      {orders.length === 0 && !state.loaded && !state.unavailable && <Skeleton />}
      {orders.length === 0 && state.loaded && (
        <div className="card empty">
          <ParcelPicture />
          <p>No orders yet. The first one will appear here the moment it is accepted.</p>
        </div>
      )}
      {state.next && <More load={() => session.more()} />}
    </section>
  );
}

function Unavailable({ why, retry }: { why: string; retry: () => Promise<void> }) {
  return (
    <div className="notice bad" role="alert">
      <p>
        <strong>Your orders could not be asked for.</strong> {why}
      </p>
      <p className="notice-actions">
        <button className="button quiet" onClick={() => void retry()}>
          Try again
        </button>
      </p>
    </div>
  );
}

function More({ load }: { load: () => Promise<void> }) {
  const [loading, setLoading] = useState(false);
  const ask = () => {
    setLoading(true);
    void load().finally(() => setLoading(false));
  };
  return (
    <button className="button more" disabled={loading} onClick={ask} data-testid={testId.more}>
      {loading ? "Loading…" : "More"}
    </button>
  );
}

function Skeleton() {
  return (
    <div className="card order-list" role="status" aria-label="Loading your orders">
      {[1, 2, 3].map((row) => (
        <div key={row} className="order-skeleton" aria-hidden="true">
          <span />
          <span />
          <span />
        </div>
      ))}
    </div>
  );
}
