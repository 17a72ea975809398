import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Opened, Progress, Row, Selection } from "../../explorer/index.ts";

interface Shown {
  readonly count: number;
  readonly progress: Progress | undefined;
  readonly classes: readonly string[];
  readonly row: (index: number) => Row | undefined;
  readonly onWindow: (first: number, end: number) => void;
}

const SPARE = 100; // rows fetched above and below those that are drawn
const SOONEST = 1_000; // milliseconds between two looks at a listing that grows

/** Rows of a worker's listing: what is drawn is fetched from it, and again while the listing grows. */
export function useRows(account: Opened, bucket: string, selection: Selection): Shown {
  const { worker } = account;
  const [state, setState] = useState<Omit<Shown, "row" | "onWindow">>({ count: 0, progress: undefined, classes: [] });
  const [rows, setRows] = useState<{ first: number; rows: readonly Row[] }>({ first: 0, rows: [] });
  const drawn = useRef({ first: 0, end: 0 });

  const fetchRows = useCallback(async () => {
    const first = Math.max(0, drawn.current.first - SPARE);
    const fetched = await worker.rows(first, drawn.current.end + SPARE);
    setRows({ first, rows: fetched });
  }, [worker]);

  const wanted = JSON.stringify(selection);
  const stage = account.progress
    .filter((it) => it.bucket === bucket)
    .map((it) => `${it.folder} ${it.prefix} ${it.versions} ${it.state}`);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let alive = true;
    async function look() {
      const started = performance.now();
      const selected = await worker.select(bucket, JSON.parse(wanted));
      if (!alive) return;
      setState({ count: selected?.rows ?? 0, progress: selected?.progress, classes: selected?.classes ?? [] });
      await fetchRows();
      if (!alive || selected?.progress.state !== "running") return;
      timer = setTimeout(look, Math.max(SOONEST, (performance.now() - started) * 3));
    }
    void look();
    return () => {
      alive = false;
      clearTimeout(timer);
    };
  }, [worker, bucket, wanted, stage.join("\n"), fetchRows]);

  const onWindow = useCallback(
    (first: number, end: number) => {
      drawn.current = { first, end };
      void fetchRows();
    },
    [fetchRows],
  );
  return { ...state, row: (index) => rows.rows[index - rows.first], onWindow };
}
