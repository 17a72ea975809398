import type { ButtonHTMLAttributes, ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { failed } from "./toast.tsx";

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "onClick"> {
  readonly kind?: "primary" | "danger" | "quiet";
  /** While it runs, the button is busy; what it raises becomes a toast. */
  readonly onClick?: () => unknown;
  readonly children: ComponentChildren;
}

export function Button({ kind, onClick, disabled, children, class: given, ...rest }: Props) {
  const [busy, setBusy] = useState(false);
  async function act() {
    setBusy(true);
    try {
      await onClick?.();
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <button
      type="button"
      class={`button ${kind ?? ""} ${given ?? ""}`}
      disabled={disabled || busy}
      aria-busy={busy}
      {...rest}
      {...(onClick && { onClick: act })}
    >
      {children}
    </button>
  );
}
