import { useEffect, useState } from "preact/hooks";
import { Field } from "./field.tsx";

interface Props {
  readonly label: string;
  readonly value: string;
  readonly hint?: string;
  readonly onCommit: (text: string) => void;
}

/** A text that counts when it is finished, with Enter or when the reader goes on; until then, nothing that is loaded anew takes it away. */
export function Typed({ label, value, hint, onCommit }: Props) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <Field
      label={label}
      hint={hint}
      value={text}
      onInput={(event) => setText(event.currentTarget.value)}
      onChange={(event) => onCommit(event.currentTarget.value)}
    />
  );
}
