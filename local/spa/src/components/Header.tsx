import type { Customer } from "../auth";
import type { Hub, Link } from "../hub";
import { useStore } from "../store";
import { testId } from "../testids";
import { Logo } from "./pictures";

interface Props {
  customer: Customer;
  hub: Hub;
  signOut: () => void;
}

export function Header({ customer, hub, signOut }: Props) {
  return (
    <header className="header">
      <p className="brand">
        <Logo /> <span>Contoso Orders</span>
      </p>
      <Badge hub={hub} />
      <div className="account">
        <span className="user" data-testid={testId.user} title={`Signed in as ${customer.name}`}>
          {customer.name}
        </span>
        <button className="button quiet" onClick={signOut} data-testid={testId.signOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}

function Badge({ hub }: { hub: Hub }) {
  const link = useStore(hub.link);
  return (
    <p className="badge" role="status" title={link.reason} data-testid={testId.badge} data-state={link.state}>
      <span className="dot" aria-hidden="true" />
      {wordsFor(link)}
      <span className="visually-hidden">. {link.reason}</span>
    </p>
  );
}

function wordsFor({ state, final }: Link): string {
  switch (state) {
    case "live":
      return "Live";
    case "connecting":
      return "Connecting…";
    case "reconnecting":
      return "Reconnecting…";
    case "offline":
      return final ? "Offline" : "Offline, retrying";
  }
}
