/** Every picture on the page, drawn in place: nothing is fetched, and icons take the text's colour. */
import type { ReactNode } from "react";
import type { Status } from "../orders";

export function ProductPicture({ sku }: { sku: string }) {
  return (
    <svg className="picture" data-sku={sku} viewBox="0 0 160 112" aria-hidden="true">
      <ellipse cx="80" cy="98" rx="46" ry="5" fill="#000" opacity=".08" />
      {drawings[sku]}
    </svg>
  );
}

const drawings: Record<string, ReactNode> = {
  "BEANS-1": (
    <>
      <path d="M54 26h52l5 66a6 6 0 0 1-6 6H55a6 6 0 0 1-6-6z" fill="#2f5d50" />
      <path d="M54 26h14l-6 72h-7a6 6 0 0 1-6-6z" fill="#264c41" />
      <path d="M52 14h56l-2 14H54z" fill="#3d7566" />
      <path d="M52 14h56v4H52z" fill="#264c41" />
      <rect x="62" y="44" width="38" height="36" rx="4" fill="#f6ecd9" />
      <g transform="rotate(28 81 60)">
        <ellipse cx="81" cy="60" rx="8" ry="11" fill="#7a4a2b" />
        <path d="M81 49.5c-4 6 4 13 0 21" fill="none" stroke="#f6ecd9" strokeWidth="2" strokeLinecap="round" />
      </g>
      <ellipse cx="122" cy="94" rx="8" ry="5.5" fill="#7a4a2b" transform="rotate(-18 122 94)" />
      <path d="M115 96c5-3 9 0 14-4" fill="none" stroke="#5b351d" strokeWidth="1.5" strokeLinecap="round" />
      <ellipse cx="136" cy="97" rx="6" ry="4" fill="#8d5935" transform="rotate(20 136 97)" />
      <path d="M131 95c4 0 6 3 10 4" fill="none" stroke="#5b351d" strokeWidth="1.3" strokeLinecap="round" />
    </>
  ),
  "MUG-1": (
    <>
      <path d="M104 52h8a15 15 0 0 1 0 30h-9" fill="none" stroke="#b9633f" strokeWidth="8" />
      <path d="M50 38h58v42a18 18 0 0 1-18 18H68a18 18 0 0 1-18-18z" fill="#d17a52" />
      <path d="M50 38h14v42c0 8 4 14 10 17l-6 1a18 18 0 0 1-18-18z" fill="#e0936d" />
      <path d="M50 62c14 8 20-6 32 0s16 6 26 0v-9H50z" fill="#f6ecd9" opacity=".85" />
      <ellipse cx="79" cy="38" rx="29" ry="7" fill="#f6ecd9" />
      <ellipse cx="79" cy="39" rx="24" ry="5" fill="#4a2c1a" />
      <path d="M70 28c-5-6 5-9 0-16M86 28c-5-6 5-9 0-16" fill="none" stroke="currentColor" strokeWidth="3" strokeLinecap="round" opacity=".3" />
    </>
  ),
  "DRIPPER-1": (
    <>
      <path d="M60 70h40l6 22a5 5 0 0 1-5 6H59a5 5 0 0 1-5-6z" fill="#cfe3ea" opacity=".9" />
      <path d="M57 84h46l3 9a4 4 0 0 1-4 5H58a4 4 0 0 1-4-5z" fill="#6b3f22" />
      <rect x="50" y="63" width="60" height="7" rx="3.5" fill="#d9cbb1" />
      <path d="M44 26h72L94 64H66z" fill="#fffaf0" />
      <path d="M44 26h16l12 38h-6z" fill="#ece3d3" />
      <path d="M114 34h9a8 8 0 0 1 0 16h-17" fill="none" stroke="#d9cbb1" strokeWidth="6" />
      <path d="M52 26 58 14h44l6 12z" fill="#d9b48a" />
      <path d="M80 70v9" stroke="#6b3f22" strokeWidth="3" strokeLinecap="round" />
      <path d="M72 30v24M80 30v27M88 30v24" stroke="#e6dccb" strokeWidth="2" strokeLinecap="round" />
      <ellipse cx="80" cy="26" rx="36" ry="4" fill="#7a4a2b" />
    </>
  ),
  "KETTLE-1": (
    <>
      <path d="M58 78C40 78 42 50 34 38c-2-4-6-5-11-5" fill="none" stroke="#3b4450" strokeWidth="6" strokeLinecap="round" />
      <path d="M60 44h44l10 48a5 5 0 0 1-5 6H55a5 5 0 0 1-5-6z" fill="#4a5563" />
      <path d="M60 44h14L66 98H55a5 5 0 0 1-5-6z" fill="#5d6a7a" />
      <path d="M58 44c0-8 10-13 24-13s24 5 24 13z" fill="#3b4450" />
      <circle cx="82" cy="27" r="5" fill="#c9925b" />
      <path d="M106 50c26-10 34 8 24 34" fill="none" stroke="#c9925b" strokeWidth="7" strokeLinecap="round" />
      <path d="M54 86h58" stroke="#3b4450" strokeWidth="3" />
    </>
  ),
  "GRINDER-1": (
    <>
      <path d="M82 22h36" stroke="#8b95a1" strokeWidth="5" strokeLinecap="round" />
      <path d="M118 22v-6" stroke="#8b95a1" strokeWidth="4" />
      <rect x="111" y="4" width="14" height="15" rx="6" fill="#8a552f" />
      <rect x="76" y="18" width="9" height="12" rx="2" fill="#8b95a1" />
      <rect x="58" y="28" width="46" height="8" rx="4" fill="#6d7783" />
      <rect x="61" y="35" width="40" height="34" fill="#b9c1ca" />
      <rect x="61" y="35" width="10" height="34" fill="#d5dbe1" />
      <rect x="58" y="67" width="46" height="7" rx="3" fill="#6d7783" />
      <path d="M62 74h38v18a6 6 0 0 1-6 6H68a6 6 0 0 1-6-6z" fill="#a1673b" />
      <path d="M62 74h9v24h-3a6 6 0 0 1-6-6z" fill="#b97b4a" />
      <path d="M70 86h22" stroke="#8a552f" strokeWidth="2" strokeLinecap="round" opacity=".6" />
    </>
  ),
  "FILTER-1": (
    <>
      <path d="M38 34h70l-24 62H62z" fill="#e4cfab" />
      <path d="M48 28h70L94 94H72z" fill="#f0dfc2" />
      <path d="M56 22h70l-24 70H80z" fill="#fbf1dd" />
      <path d="M126 22l-24 70h-6l20-70z" fill="#e9d8b8" />
      <path d="M64 28h48M70 28l14 58M82 28l8 58M96 28l0 54" fill="none" stroke="#e9d8b8" strokeWidth="1.8" strokeLinecap="round" />
    </>
  ),
};

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0f5c4a" />
      <path d="M8 12h13v6a6 6 0 0 1-6 6h-1a6 6 0 0 1-6-6z" fill="#fbf8f1" />
      <path d="M21 13.5h1.5a3 3 0 0 1 0 6H21" fill="none" stroke="#fbf8f1" strokeWidth="2" />
      <path d="M12 9.5c-1-1.2 1-1.8 0-3M16.5 9.5c-1-1.2 1-1.8 0-3" fill="none" stroke="#f0b95b" strokeWidth="1.6" strokeLinecap="round" />
    </svg>
  );
}

/** The whole of the shop in one picture: a cup, a parcel, and a line between them. */
export function CupPicture() {
  return (
    <svg className="welcome-picture" viewBox="0 0 320 150" aria-hidden="true">
      <ellipse cx="160" cy="134" rx="140" ry="8" fill="currentColor" opacity=".07" />
      <path d="M112 84c28-44 62-44 92 0" fill="none" stroke="#e0a04a" strokeWidth="3" strokeDasharray="2 9" strokeLinecap="round" />
      <circle cx="158" cy="51" r="15" fill="#0f5c4a" />
      <path d="m151 51 5 5 9-10" fill="none" stroke="#fbf8f1" strokeWidth="3.5" strokeLinecap="round" strokeLinejoin="round" />
      <path d="M92 84h7a14 14 0 0 1 0 28h-8" fill="none" stroke="#b9633f" strokeWidth="7" />
      <path d="M40 72h56v44a16 16 0 0 1-16 16H56a16 16 0 0 1-16-16z" fill="#d17a52" />
      <path d="M40 72h13v44c0 8 3 13 9 16h-6a16 16 0 0 1-16-16z" fill="#e0936d" />
      <ellipse cx="68" cy="72" rx="28" ry="6.5" fill="#f6ecd9" />
      <ellipse cx="68" cy="73" rx="23" ry="4.6" fill="#4a2c1a" />
      <path d="M60 60c-5-6 5-9 0-16M76 60c-5-6 5-9 0-16" fill="none" stroke="currentColor" strokeWidth="3" strokeLinecap="round" opacity=".25" />
      <path d="M212 88h72v38a6 6 0 0 1-6 6h-60a6 6 0 0 1-6-6z" fill="#d3a36c" />
      <path d="M212 88h20v44h-14a6 6 0 0 1-6-6z" fill="#e0b684" />
      <path d="m212 88 10-14h52l10 14z" fill="#bd8b54" />
      <path d="M241 74h14l3 14v16l-5-4-5 4-5-4-5 4V88z" fill="#f6ecd9" />
    </svg>
  );
}

export function BasketPicture() {
  return (
    <svg className="empty-picture" viewBox="0 0 96 72" aria-hidden="true">
      <path d="M30 30 42 10M66 30 54 10" stroke="currentColor" strokeWidth="4" strokeLinecap="round" opacity=".45" />
      <path d="M16 34h64l-7 28a6 6 0 0 1-6 4H29a6 6 0 0 1-6-4z" fill="currentColor" opacity=".18" />
      <rect x="12" y="28" width="72" height="9" rx="4.5" fill="currentColor" opacity=".4" />
      <path d="M36 44v14M48 44v14M60 44v14" stroke="currentColor" strokeWidth="4" strokeLinecap="round" opacity=".35" />
    </svg>
  );
}

export function ParcelPicture() {
  return (
    <svg className="empty-picture" viewBox="0 0 96 72" aria-hidden="true">
      <path d="M18 28h60v32a6 6 0 0 1-6 6H24a6 6 0 0 1-6-6z" fill="currentColor" opacity=".18" />
      <path d="m18 28 9-14h42l9 14z" fill="currentColor" opacity=".35" />
      <path d="M42 14h12l3 14v14l-4.5-4-4.5 4-4.5-4-4.5 4V28z" fill="currentColor" opacity=".45" />
    </svg>
  );
}

function Icon({ path }: { path: string }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

const statusPath: Record<Status, string> = {
  accepted: "M8 4.5V8l2.5 1.5M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12",
  completed: "m3.5 8.5 3 3 6-7",
  rejected: "m4.5 4.5 7 7m0-7-7 7",
  failed: "M8 3.5v5.5m0 3.4v.1",
};

export const StatusIcon = ({ status }: { status: Status }) => <Icon path={statusPath[status]} />;
export const CrossIcon = () => <Icon path="m4.5 4.5 7 7m0-7-7 7" />;
export const CheckIcon = () => <Icon path="m3.5 8.5 3 3 6-7" />;
export const ChevronIcon = () => <Icon path="m4 6 4 4 4-4" />;
export const CopyIcon = () => <Icon path="M6 6V3.5A1 1 0 0 1 7 2.5h5.5a1 1 0 0 1 1 1V9a1 1 0 0 1-1 1H10M3.5 6H9a1 1 0 0 1 1 1v5.5a1 1 0 0 1-1 1H3.5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1" />;
