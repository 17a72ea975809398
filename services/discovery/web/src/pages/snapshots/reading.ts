import { type Remote, transfer, wrap } from "comlink";
import { useEffect, useState } from "preact/hooks";
import { useFetched } from "../../components/index.ts";
import type { Lines, Selection } from "./lines.ts";
import { type BucketLine, type ObjectLine, readPiece, type Shown } from "./snapshots.ts";

interface Reading {
  readonly buckets: readonly BucketLine[];
  /** How many objects are like what is asked for, of those that have been read. */
  readonly count: number;
  readonly row: (index: number) => ObjectLine | undefined;
  readonly onWindow: (first: number, end: number) => void;
  /** How many pieces have been read. */
  readonly read: number;
  readonly error: Error | undefined;
}

type State = Pick<Reading, "buckets" | "read" | "error">;

const NOTHING: State = { buckets: [], read: 0, error: undefined };
const SOONEST = 1_000; // milliseconds between two looks at what is being read

/** The lines of a snapshot, read piece by piece into a worker; what is drawn of them is fetched from it. */
export function useLines({ snapshot, numbers }: Shown, selection: Selection): Reading {
  const [worker, setWorker] = useState<Remote<Lines>>();
  const [state, setState] = useState<State>(NOTHING);
  const [count, setCount] = useState(0);
  const { row, onWindow, refresh } = useFetched<ObjectLine>(worker);

  useEffect(() => {
    const stop = new AbortController();
    setWorker(undefined);
    setState(NOTHING);
    const process = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    async function readAll() {
      const lines = await new (wrap<typeof Lines>(process))();
      setWorker(() => lines);
      const buckets: BucketLine[] = [];
      for (const [at, number] of numbers.entries()) {
        const piece = await readPiece(snapshot.snapshot_id, number, stop.signal);
        buckets.push(...(await lines.add(transfer(piece, [piece]))));
        if (!stop.signal.aborted) setState({ buckets: [...buckets], read: at + 1, error: undefined });
      }
    }
    readAll().catch((error) => stop.signal.aborted || setState({ ...NOTHING, error }));
    return () => {
      stop.abort();
      process.terminate();
    };
  }, [snapshot.snapshot_id, numbers]);

  const wanted = JSON.stringify(selection);
  const isWhole = state.read === numbers.length;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let alive = true;
    async function look(lines: Remote<Lines>) {
      const started = performance.now();
      const found = await lines.select(JSON.parse(wanted));
      if (!alive) return;
      setCount(found);
      await refresh();
      if (alive && !isWhole) timer = setTimeout(look, Math.max(SOONEST, (performance.now() - started) * 3), lines);
    }
    if (worker) void look(worker);
    return () => {
      alive = false;
      clearTimeout(timer);
    };
  }, [worker, wanted, isWhole, refresh]);
  return { ...state, count, row, onWindow };
}
