import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { formatAgo, formatBytes, formatTime } from "../format.ts";
import { Button } from "./button.tsx";

export type Tone = "good" | "warn" | "bad" | "plain";

export function Badge({ tone = "plain", children }: { readonly tone?: Tone; readonly children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** Without `of`, it only shows that something is going on. */
export function Progress({ label, value, of }: { readonly label: string; readonly value?: number; readonly of?: number }) {
  return (
    <div class="progress">
      <span aria-hidden="true">{label}</span>
      {of === undefined ? (
        <progress aria-label={label} />
      ) : (
        <progress aria-label={label} value={value ?? 0} max={Math.max(of, 1)} />
      )}
    </div>
  );
}

export function Bytes({ of }: { readonly of: number }) {
  return <span title={`${of} bytes`}>{formatBytes(of)}</span>;
}

/** `ago`: how long ago it was, with the time as title. */
export function Time({ at, ago }: { readonly at: string | number; readonly ago?: boolean }) {
  const exact = new Date(at);
  if (Number.isNaN(exact.getTime())) return <span>{at}</span>;
  return (
    <time dateTime={exact.toISOString()} title={exact.toISOString()}>
      {ago ? formatAgo(at) : formatTime(at)}
    </time>
  );
}

/** A line to paste elsewhere. */
export function Copy({ text, label = "Copy" }: { readonly text: string; readonly label?: string }) {
  const [copied, setCopied] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  }
  return (
    <div class="copy">
      <code>{text}</code>
      <Button kind="quiet" onClick={copy} aria-label={`${label}: ${text}`}>
        {copied ? "Copied" : label}
      </Button>
    </div>
  );
}
