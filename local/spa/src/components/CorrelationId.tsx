import { useState } from "react";
import { CheckIcon, CopyIcon } from "./pictures";

/** Shortened for the eye; whole in the title and on the clipboard. */
export function CorrelationId({ id }: { id: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(id);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <p className="correlation">
      <code title={`CorrelationId ${id}`}>{id.length > 13 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id}</code>
      <button
        className="icon-button small"
        aria-label={copied ? "Copied" : `Copy CorrelationId ${id}`}
        title="Copy CorrelationId"
        onClick={() => void copy().catch(() => {})}
      >
        {copied ? <CheckIcon /> : <CopyIcon />}
      </button>
    </p>
  );
}
