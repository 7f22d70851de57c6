import { decimalString, formatMoney, totalOf } from "../money";
import type { Order } from "../orders";
import { productOf } from "../products";
import { Time } from "./Time";

interface Props {
  order: Order;
  problem: string | undefined;
  retry: () => void;
}

export function OrderDetails({ order, problem, retry }: Props) {
  return (
    <div className="details">
      <Timeline order={order} />
      {order.lines ? (
        <Lines lines={order.lines} currency={order.currency ?? "EUR"} />
      ) : problem ? (
        <p className="notice bad" role="alert">
          {problem}{" "}
          <button className="button quiet" onClick={retry}>
            Try again
          </button>
        </p>
      ) : (
        <p role="status">Asking for the details…</p>
      )}
    </div>
  );
}

/** When it was accepted, when it was decided, and how long that took. */
function Timeline({ order: { status, acceptedAt, completedAt } }: { order: Order }) {
  if (!acceptedAt) return null;
  const tookMs = completedAt ? Date.parse(completedAt) - Date.parse(acceptedAt) : undefined;
  return (
    <ol className="timeline" data-status={status}>
      <li>
        Accepted <Time at={acceptedAt} seconds />
      </li>
      {completedAt && tookMs !== undefined && tookMs >= 0 && <li className="took">{(tookMs / 1000).toFixed(1)} s</li>}
      <li>
        {status === "accepted" ? "Being decided…" : wordFor[status]}{" "}
        {completedAt && <Time at={completedAt} seconds />}
      </li>
    </ol>
  );
}

const wordFor = { completed: "Completed", rejected: "Rejected", failed: "Failed" };

function Lines({ lines, currency }: { lines: NonNullable<Order["lines"]>; currency: string }) {
  return (
    <table className="order-lines">
      <thead>
        <tr>
          <th scope="col">Product</th>
          <th scope="col">Quantity</th>
          <th scope="col">Each</th>
          <th scope="col">Sum</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line, index) => (
          <tr key={index}>
            <th scope="row">{productOf.get(line.sku)?.name ?? line.sku}</th>
            <td>{line.quantity}</td>
            <td>{formatMoney(line.unitPrice, currency)}</td>
            <td>{formatMoney(decimalString(totalOf([line])), currency)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
