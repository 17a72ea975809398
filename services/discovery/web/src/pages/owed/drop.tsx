import { useState } from "preact/hooks";
import { api } from "../../api.ts";
import { Dialog, done, Form, TextArea } from "../../components/index.ts";
import { formatCount } from "../../format.ts";

interface Kept {
  readonly bucket_id: string;
  readonly version_id: string;
  readonly backend_id: string;
  readonly why: string;
}

interface Props {
  readonly which: object;
  readonly what: string;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function Drop({ which, what, onClose, onDone }: Props) {
  const [kept, setKept] = useState<readonly Kept[]>([]);
  const submit = async ({ reason = "" }: Readonly<Record<string, string>>) => {
    const answer = await api.post<{ dropped: number; kept: Kept[] }>("/api/jobs/drop", { ...which, reason });
    done(answer.dropped === 1 ? "One job was given up." : `${formatCount(answer.dropped)} jobs were given up.`);
    setKept(answer.kept);
    if (!answer.kept.length) onDone();
  };
  return (
    <Dialog title={`Give up ${what}`} onClose={onClose}>
      <p>
        A copy that is given up leaves its version with one less than its policy asks for, until the next comparison. A removal
        that is given up leaves the blob where it is. Both are noted for ever.
      </p>
      <Form action="Give it up" kind="danger" onSubmit={submit}>
        <TextArea label="Why" name="reason" required maxLength={500} />
      </Form>
      {kept.length > 0 && (
        <div role="alert">
          <p>These were kept:</p>
          <ul>
            {kept.map((it) => (
              <li key={`${it.version_id}/${it.backend_id}`}>
                {it.version_id} at {it.backend_id}: {it.why}
              </li>
            ))}
          </ul>
        </div>
      )}
    </Dialog>
  );
}
