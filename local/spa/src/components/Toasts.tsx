import { useEffect } from "react";
import { formatMoney } from "../money";
import type { Order } from "../orders";
import type { Session } from "../session";
import { useStore } from "../store";
import { testId } from "../testids";
import { CrossIcon, StatusIcon } from "./pictures";

const shownMs = 8000;

/** What has just been decided: seen as toasts, heard through one live region. */
export function Toasts({ session }: { session: Session }) {
  const { news } = useStore(session.orders);
  return (
    <>
      <div className="visually-hidden" aria-live="polite" aria-atomic="false" data-testid={testId.announce}>
        {news.map((order) => (
          <p key={keyOf(order)}>{sentenceFor(order)}</p>
        ))}
      </div>
      <ul className="toasts">
        {news.map((order) => (
          <Toast key={keyOf(order)} order={order} session={session} />
        ))}
      </ul>
    </>
  );
}

const keyOf = (order: Order) => `${order.correlationId} ${order.status}`;

function Toast({ order, session }: { order: Order; session: Session }) {
  const { correlationId, status } = order;
  useEffect(() => {
    const timer = setTimeout(() => session.dismiss(correlationId), shownMs);
    return () => clearTimeout(timer);
  }, [session, correlationId]);
  return (
    <li className="toast" data-status={status}>
      <StatusIcon status={status} />
      <span>{sentenceFor(order)}</span>
      <button className="icon-button" aria-label="Dismiss" onClick={() => session.dismiss(correlationId)}>
        <CrossIcon />
      </button>
    </li>
  );
}

function sentenceFor({ status, orderId, reason, total, currency }: Order): string {
  if (status !== "completed") return `An order was ${status}${reason ? `: ${reason}` : ""}.`;
  const sum = total && currency ? `, ${formatMoney(total, currency)}` : "";
  const number = orderId === undefined ? "" : ` ${orderId}`;
  return `Order${number} is completed${sum}.`;
}
