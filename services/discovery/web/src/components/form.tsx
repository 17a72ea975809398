import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

interface Props {
  readonly action: string;
  /** The named inputs' texts. What it raises is shown above the button, until something is changed. */
  readonly onSubmit: (values: Readonly<Record<string, string>>) => unknown;
  readonly children: ComponentChildren;
  readonly kind?: "primary" | "danger";
}

/** Never sent by the browser: the page's policy forbids it. */
export function Form({ action, onSubmit, children, kind = "primary" }: Props) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const entries = [...new FormData(event.currentTarget as HTMLFormElement)];
    setBusy(true);
    setError("");
    try {
      await onSubmit(Object.fromEntries(entries.map(([name, value]) => [name, String(value)])));
    } catch (raised) {
      setError(raised instanceof Error ? raised.message : String(raised));
    } finally {
      setBusy(false);
    }
  }
  return (
    <form class="form" onSubmit={submit} onInput={() => setError("")} autocomplete="off">
      {children}
      <p class="hint error" role="alert">
        {error}
      </p>
      <button type="submit" class={`button ${kind}`} disabled={busy} aria-busy={busy}>
        {action}
      </button>
    </form>
  );
}
