import { signal } from "@preact/signals";

interface Toast {
  readonly id: number;
  readonly kind: "done" | "failed";
  readonly text: string;
}

const SHOWN = 8_000; // milliseconds
const toasts = signal<readonly Toast[]>([]);
let last = 0;

function show(kind: Toast["kind"], text: string): void {
  const id = ++last;
  toasts.value = [...toasts.value, { id, kind, text }];
  setTimeout(() => dismiss(id), SHOWN);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((it) => it.id !== id);
}

export function done(text: string): void {
  show("done", text);
}

export function failed(error: unknown): void {
  show("failed", error instanceof Error ? error.message : String(error));
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, kind, text }) => (
        <div key={id} class={`toast ${kind}`}>
          <span>{text}</span>
          <button type="button" class="button quiet" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
