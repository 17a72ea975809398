import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ROW, windowOf } from "./windowing.ts";

export interface Column<Row> {
  readonly name: string;
  readonly title: string;
  readonly show: (row: Row) => ComponentChildren;
  /** What the column is sorted by; without it, it cannot be. */
  readonly by?: (row: Row) => string | number;
  /** A track of CSS grid; `minmax(6rem, 1fr)` otherwise. */
  readonly width?: string;
  readonly end?: boolean;
}

export interface Sort {
  readonly column: string;
  readonly descending: boolean;
}

interface Shape<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
}

interface Props<Row> extends Shape<Row> {
  readonly rows: readonly Row[];
  readonly sort?: Sort;
}

/** Rows that are all here; however many, only those that are seen are drawn. */
export function Table<Row>({ rows, columns, label, sort: initial }: Props<Row>) {
  const [sort, setSort] = useState(initial);
  const sorted = useMemo(() => {
    const by = columns.find((it) => it.name === sort?.column)?.by;
    return by && sort ? rows.toSorted((a, b) => compare(by(a), by(b)) * (sort.descending ? -1 : 1)) : rows;
  }, [rows, columns, sort]);
  return (
    <WindowedTable
      label={label}
      columns={columns}
      count={sorted.length}
      row={(index) => sorted[index]}
      sort={sort}
      onSort={setSort}
    />
  );
}

const collator = new Intl.Collator("en", { numeric: true });

function compare(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
}

interface Windowed<Row> extends Shape<Row> {
  readonly count: number;
  /** A row that is `undefined` is still on its way. */
  readonly row: (index: number) => Row | undefined;
  readonly sort?: Sort | undefined;
  /** Without it, nothing can be sorted. */
  readonly onSort?: (sort: Sort) => void;
  /** Which rows are about to be drawn. */
  readonly onWindow?: (first: number, end: number) => void;
}

/** Rows that are elsewhere, as in a worker, and are asked for as they come into sight. */
export function WindowedTable<Row>({ label, columns, count, row, sort, onSort, onWindow }: Windowed<Row>) {
  const { body, scrolled, seen } = useScrolling();
  const { first, end, top, height } = windowOf(count, scrolled, seen);
  useEffect(() => onWindow?.(first, end), [first, end, onWindow]);
  const tracks = columns.map((it) => it.width ?? "minmax(6rem, 1fr)").join(" ");
  return (
    <div class="table" role="table" aria-label={label} aria-rowcount={count + 1}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <div class="table-scroll" ref={body} role="rowgroup" tabIndex={0} aria-label={label}>
        <div class="table-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: tracks }}>
          {columns.map((it) => (
            <Heading key={it.name} column={it} sort={sort} onSort={it.by && onSort} />
          ))}
        </div>
        <div class="table-rows" role="presentation" style={{ height: `${height}px` }}>
          <div role="presentation" style={{ transform: `translateY(${top}px)` }}>
            {Array.from({ length: end - first }, (_, offset) => (
              <Line key={first + offset} index={first + offset} row={row(first + offset)} columns={columns} tracks={tracks} />
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}

/** How far an element is scrolled, and how much of it is seen, in pixels. */
function useScrolling() {
  const body = useRef<HTMLDivElement>(null);
  const [{ scrolled, seen }, set] = useState({ scrolled: 0, seen: 600 });
  useEffect(() => {
    const element = body.current as HTMLDivElement;
    const look = () => set({ scrolled: element.scrollTop, seen: element.clientHeight - ROW });
    const watch = new ResizeObserver(look);
    watch.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  return { body, scrolled, seen };
}

function Heading<Row>({
  column,
  sort,
  onSort,
}: {
  column: Column<Row>;
  sort: Sort | undefined;
  onSort: ((sort: Sort) => void) | undefined;
}) {
  const descending = sort?.column === column.name ? sort.descending : undefined;
  const order = descending === undefined ? "none" : descending ? "descending" : "ascending";
  return (
    <div role="columnheader" class={column.end ? "end" : ""} {...(onSort && { "aria-sort": order })}>
      {onSort ? (
        <button
          type="button"
          class={`sort ${order}`}
          onClick={() => onSort({ column: column.name, descending: descending === false })}
        >
          {column.title}
        </button>
      ) : (
        column.title
      )}
    </div>
  );
}

function Line<Row>({
  index,
  row,
  columns,
  tracks,
}: {
  index: number;
  row: Row | undefined;
  columns: readonly Column<Row>[];
  tracks: string;
}) {
  return (
    <div class="table-row" role="row" aria-rowindex={index + 2} style={{ gridTemplateColumns: tracks }}>
      {columns.map((it) => {
        const shown = row === undefined ? "…" : it.show(row);
        return (
          <div key={it.name} role="cell" class={it.end ? "end" : ""} {...(typeof shown === "string" && { title: shown })}>
            {shown}
          </div>
        );
      })}
    </div>
  );
}
