import { useEffect, useState } from "react";
import { lineOfPointer, type Problem } from "../api";
import type { Checkout } from "../checkout";
import { useStore } from "../store";
import { testId } from "../testids";

/** What became of the last attempt to place an order. */
export function CheckoutNotice({ checkout }: { checkout: Checkout }) {
  const state = useStore(checkout.state);
  switch (state.phase) {
    case "waiting":
      return <Waiting key={state.retryAt} problem={state.problem} retryAt={state.retryAt} checkout={checkout} />;
    case "refused":
      return <Refused problem={state.problem} />;
    case "accepted":
      return (
        <p className="notice good" role="status" data-testid={testId.notice} data-kind="success">
          Thank you. Your order is accepted: follow it under My orders.
        </p>
      );
    default:
      return null;
  }
}

interface WaitingProps {
  problem: Problem;
  retryAt: number;
  checkout: Checkout;
}

function Waiting({ problem, retryAt, checkout }: WaitingProps) {
  const seconds = useSecondsUntil(retryAt);
  return (
    <div className="notice warn" data-testid={testId.notice} data-kind="waiting">
      <p role="alert">
        <strong>{problem.title}.</strong> {problem.detail} Your basket is safe, and the order will be taken only once.
      </p>
      <p className="notice-actions">
        <span className="countdown">Trying again in {seconds} s</span>
        <button className="button quiet" onClick={() => void checkout.retryNow()}>
          Try now
        </button>
        <button className="button quiet" onClick={() => checkout.cancel()}>
          Cancel
        </button>
      </p>
    </div>
  );
}

function Refused({ problem }: { problem: Problem }) {
  const elsewhere = problem.errors.filter((error) => lineOfPointer(error.pointer) === undefined);
  return (
    <div className="notice bad" role="alert" data-testid={testId.notice} data-kind="problem">
      <p>
        <strong>{problem.title}.</strong> {problem.detail}
      </p>
      {elsewhere.length > 0 && (
        <ul>
          {elsewhere.map(({ pointer, detail }) => (
            <li key={pointer}>
              <code>{pointer}</code> {detail}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function useSecondsUntil(time: number): number {
  const left = () => Math.max(0, Math.ceil((time - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    const timer = setInterval(() => setSeconds(left()), 250);
    return () => clearInterval(timer);
  }, [time]);
  return seconds;
}
