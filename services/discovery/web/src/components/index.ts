export { Button } from "./button.tsx";
export { Dialog } from "./dialog.tsx";
export { Checkbox, Field, Select, TextArea } from "./field.tsx";
export { Form } from "./form.tsx";
export { Badge, Bytes, Copy, Progress, Time, type Tone } from "./small.tsx";
export { Empty, Failed, Load, Loading, SignInLink } from "./states.tsx";
export { type Column, type Sort, Table, WindowedTable } from "./table.tsx";
export { done, failed } from "./toast.tsx";
export { Typed } from "./typed.tsx";
