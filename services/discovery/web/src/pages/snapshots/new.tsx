import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Button, Checkbox, done, Empty, Field, Form, Progress, Select } from "../../components/index.ts";
import { type Explored, entries, explored, type Keys } from "../../explorer/index.ts";
import { formatBytes, formatThings } from "../../format.ts";
import { go, link } from "../../router.ts";
import { type Progress as Sent, save } from "./saving.ts";
import { KEYS } from "./snapshots.ts";

type Texts = Readonly<Record<string, string>>;

/** Keeps what the explorer looks at. `given`: `account` (its name), and `buckets`, separated by commas; none: all of them. */
export function Save({ given }: { readonly given: Texts }) {
  const accounts = explored.value;
  return (
    <>
      <p>
        <a href={link("snapshots")}>Snapshots</a>
      </p>
      <h1>Keep a snapshot</h1>
      {accounts.length ? (
        <Asking accounts={accounts} given={given} />
      ) : (
        <Empty title="No account is open in this tab.">
          <p>Open one in the explorer: its secret key stays in this tab.</p>
          <a class="button primary" href={link("explore")}>
            To the explorer
          </a>
        </Empty>
      )}
    </>
  );
}

function Asking({ accounts, given }: { accounts: readonly Explored[]; given: Texts }) {
  const sent = useSignal<Sent | undefined>(undefined);
  const stop = useRef<AbortController>(undefined);
  useEffect(() => () => stop.current?.abort(), []);
  async function submit({ account = "", buckets = "", title = "", keys = "kept", versions }: Texts) {
    const chosen = accounts.find((it) => it.name === account);
    if (!chosen) throw new Error("This account is not open any more.");
    const names = buckets.split(/[\s,]+/).filter(Boolean);
    const strange = names.find((name) => !chosen.buckets.includes(name));
    if (strange) throw new Error(`The account shows no bucket ${strange}.`);
    const mine = new AbortController();
    stop.current = mine;
    sent.value = { objects: 0, bytes: 0 };
    try {
      const listing = entries(chosen.name, names.length ? names : chosen.buckets, {
        versions: Boolean(versions),
        keys: keys as Keys,
        signal: mine.signal,
      });
      const options = { endpoint: chosen.endpoint, title, keys: keys as Keys };
      const onProgress = (progress: Sent) => {
        sent.value = progress;
      };
      const made = await save(options, listing, onProgress, mine.signal);
      done(`Kept${made.truncated ? ", but not all of it: there was more than is kept" : ""}.`);
      go(link("snapshots", [made.snapshot_id]));
    } catch (error) {
      if (!mine.signal.aborted) throw error;
      throw new Error("You have called it off. Nothing was kept.");
    } finally {
      sent.value = undefined;
    }
  }
  return (
    <>
      <p>
        Kept are names, sizes, dates and settings of buckets and objects; never keys of the account, signatures, owners or
        contents. Whoever may see your snapshots sees it.
      </p>
      <Form action="Keep it" onSubmit={submit}>
        <Select label="Account" name="account">
          {accounts.map((it) => (
            <option key={it.name} value={it.name} selected={it.name === given.account}>
              {it.name}: {it.endpoint}
            </option>
          ))}
        </Select>
        <Field
          label="Buckets"
          name="buckets"
          defaultValue={given.buckets}
          placeholder="all of them"
          hint="Separated by commas."
        />
        <Field label="Title" name="title" maxLength={200} />
        <Select label="Keys of objects" name="keys">
          {Object.entries(KEYS).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </Select>
        <Checkbox name="versions" label="Earlier versions, too" />
      </Form>
      <Sending sent={sent} onStop={() => stop.current?.abort()} />
    </>
  );
}

/** Apart from the form, so that what was typed stays while this changes. */
function Sending({ sent, onStop }: { sent: Signal<Sent | undefined>; onStop: () => void }) {
  const so = sent.value;
  if (!so) return null;
  return (
    <div class="actions" role="status">
      <Progress label={`${formatThings(so.objects, "object")}, ${formatBytes(so.bytes)} so far`} />
      <Button onClick={onStop}>Call it off</Button>
    </div>
  );
}
