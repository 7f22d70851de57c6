import { useEffect, useId, useState } from "react";
import { formatMoney } from "../money";
import type { Order } from "../orders";
import { testId } from "../testids";
import { ChevronIcon, StatusIcon } from "./pictures";
import { CorrelationId } from "./CorrelationId";
import { OrderDetails } from "./OrderDetails";
import { Time } from "./Time";

interface Props {
  order: Order;
  load: () => Promise<void>;
}

export function OrderRow({ order, load }: Props) {
  const [open, setOpen] = useState(false);
  const details = useId();
  const { correlationId, status, orderId, total, currency, acceptedAt } = order;
  return (
    <li
      className="order"
      data-testid={testId.order}
      data-correlation-id={correlationId}
      data-status={status}
      data-order-id={orderId}
    >
      <div className="order-row">
        <span className="chip" data-status={status}>
          <StatusIcon status={status} />
          {wordFor[status]}
        </span>
        <div className="order-what">
          <p className="order-title">{titleOf(order)}</p>
          <CorrelationId id={correlationId} />
        </div>
        <div className="order-sum">
          <p className="order-total">{total && currency ? formatMoney(total, currency) : "–"}</p>
          <p className="order-time">{acceptedAt ? <Time at={acceptedAt} /> : "just now"}</p>
        </div>
        <button
          className="icon-button"
          aria-label={`Details of ${titleOf(order)}`}
          aria-expanded={open}
          aria-controls={details}
          onClick={() => setOpen(!open)}
        >
          <ChevronIcon />
        </button>
      </div>
      {status === "accepted" && <div className="progress" aria-hidden="true" />}
      <div id={details} hidden={!open}>
        {open && <Details order={order} load={load} />}
      </div>
    </li>
  );
}

const wordFor: Record<Order["status"], string> = {
  accepted: "Accepted",
  completed: "Completed",
  rejected: "Rejected",
  failed: "Failed",
};

function titleOf({ status, orderId, reason }: Order): string {
  if (status === "accepted") return "Being decided…";
  if (status === "completed") return orderId === undefined ? "Order" : `Order ${orderId}`;
  return reason || (status === "rejected" ? "Rejected without a reason" : "Failed without a reason");
}

function Details({ order, load }: Props) {
  const [problem, setProblem] = useState<string>();
  const ask = () => {
    setProblem(undefined);
    load().catch((error: Error) => setProblem(error.message));
  };
  const missing = order.lines === undefined;
  useEffect(() => {
    if (missing) ask();
  }, []);
  return <OrderDetails order={order} problem={problem} retry={ask} />;
}
