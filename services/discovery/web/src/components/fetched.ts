import { useCallback, useRef, useState } from "preact/hooks";

interface Source<Row> {
  readonly rows: (first: number, end: number) => Promise<readonly Row[]>;
}

interface Fetched<Row> {
  /** `undefined`: still on its way. */
  readonly row: (index: number) => Row | undefined;
  readonly onWindow: (first: number, end: number) => void;
  /** Fetches again what is drawn. */
  readonly refresh: () => Promise<void>;
}

const SPARE = 100; // rows fetched above and below those that are drawn

/** Rows for a `WindowedTable` that are elsewhere, as in a worker: those that are drawn, and some around them. */
export function useFetched<Row>(source: Source<Row> | undefined): Fetched<Row> {
  const [rows, setRows] = useState<{ first: number; rows: readonly Row[] }>({ first: 0, rows: [] });
  const drawn = useRef({ first: 0, end: 0 });
  const refresh = useCallback(async () => {
    if (!source) return;
    const first = Math.max(0, drawn.current.first - SPARE);
    const fetched = await source.rows(first, drawn.current.end + SPARE);
    setRows({ first, rows: fetched });
  }, [source]);
  const onWindow = useCallback(
    (first: number, end: number) => {
      drawn.current = { first, end };
      void refresh();
    },
    [refresh],
  );
  return { row: (index) => rows.rows[index - rows.first], onWindow, refresh };
}
