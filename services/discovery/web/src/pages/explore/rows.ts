import { useEffect, useState } from "preact/hooks";
import { useFetched } from "../../components/index.ts";
import type { Opened, Progress, Row, Selection } from "../../explorer/index.ts";

interface Shown {
  readonly count: number;
  readonly progress: Progress | undefined;
  readonly classes: readonly string[];
  readonly row: (index: number) => Row | undefined;
  readonly onWindow: (first: number, end: number) => void;
}

const SOONEST = 1_000; // milliseconds between two looks at a listing that grows

/** Rows of a worker's listing: what is drawn is fetched from it, and again while the listing grows. */
export function useRows(account: Opened, bucket: string, selection: Selection): Shown {
  const { worker } = account;
  const [state, setState] = useState<Omit<Shown, "row" | "onWindow">>({ count: 0, progress: undefined, classes: [] });
  const { row, onWindow, refresh } = useFetched<Row>(worker);

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
      await refresh();
      if (!alive || selected?.progress.state !== "running") return;
      timer = setTimeout(look, Math.max(SOONEST, (performance.now() - started) * 3));
    }
    void look();
    return () => {
      alive = false;
      clearTimeout(timer);
    };
  }, [worker, bucket, wanted, stage.join("\n"), refresh]);
  return { ...state, row, onWindow };
}
