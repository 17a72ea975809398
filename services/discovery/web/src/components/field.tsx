import type { ComponentChildren, InputHTMLAttributes, SelectHTMLAttributes, TextareaHTMLAttributes } from "preact";
import { useId } from "preact/hooks";

interface Labels {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly error?: string | undefined;
}

/** What every kind of input has: a label, a hint, and what is wrong with it. */
function Labelled({ label, hint, error, children }: Labels & { children: (attributes: Attributes) => ComponentChildren }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-hint`, "aria-invalid": error ? "true" : "false" })}
      <div id={`${id}-hint`} class={error ? "hint error" : "hint"}>
        {error ?? hint}
      </div>
    </div>
  );
}

interface Attributes {
  readonly id: string;
  readonly "aria-describedby": string;
  readonly "aria-invalid": "true" | "false";
}

/** `value` takes the place of what was typed whenever the page is drawn anew; where nobody listens, `defaultValue` only begins. */
type Heard<Attributes extends { onInput?: unknown; onChange?: unknown }> = Attributes &
  ({ readonly value?: never } | Required<Pick<Attributes, "onInput">> | Required<Pick<Attributes, "onChange">>);

export function Field({ label, hint, error, ...input }: Labels & Heard<InputHTMLAttributes<HTMLInputElement>>) {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(attributes) => <input autocomplete="off" spellcheck={false} {...input} {...attributes} />}
    </Labelled>
  );
}

export function TextArea({ label, hint, error, ...input }: Labels & Heard<TextareaHTMLAttributes<HTMLTextAreaElement>>) {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(attributes) => <textarea spellcheck={false} {...input} {...attributes} />}
    </Labelled>
  );
}

export function Select({ label, hint, error, children, ...input }: Labels & Heard<SelectHTMLAttributes<HTMLSelectElement>>) {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(attributes) => (
        <select {...input} {...attributes}>
          {children}
        </select>
      )}
    </Labelled>
  );
}

interface CheckboxProps {
  readonly label: ComponentChildren;
  readonly name?: string;
  readonly checked?: boolean;
  readonly onChange?: (checked: boolean) => void;
}

export function Checkbox({ label, name, checked, onChange }: CheckboxProps) {
  return (
    <label class="checkbox">
      <input
        type="checkbox"
        {...(name && { name })}
        {...(checked !== undefined && (onChange ? { checked } : { defaultChecked: checked }))}
        onChange={(event) => onChange?.(event.currentTarget.checked)}
      />{" "}
      {label}
    </label>
  );
}
