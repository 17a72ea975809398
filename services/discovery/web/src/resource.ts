import { useSignal } from "@preact/signals";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** What a page asked for. `data` stays while it is asked for again. */
export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
}

/** Loads when the component comes, when `inputs` change, every `seconds` while the page is seen, and on `reload()`. What is out of date is called off. */
export function useResource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[] = [],
  seconds = 0,
): Resource<T> {
  const state = useSignal<Omit<Resource<T>, "reload">>({ data: undefined, error: undefined, loading: true });
  const running = useRef<AbortController>(undefined);
  const latest = useRef(load);
  latest.current = load;
  const reload = useCallback(() => {
    running.current?.abort();
    const mine = new AbortController();
    running.current = mine;
    state.value = { ...state.peek(), loading: true };
    const settle = (settled: Partial<Resource<T>>) => {
      if (!mine.signal.aborted) state.value = { data: state.peek().data, error: undefined, ...settled, loading: false };
    };
    latest.current(mine.signal).then(
      (data) => settle({ data }),
      (error) => settle({ error }),
    );
  }, [state]);
  useEffect(() => {
    state.value = { data: undefined, error: undefined, loading: true };
    reload();
    return () => running.current?.abort();
  }, [...inputs, reload]);
  useEffect(() => {
    const timer = seconds && setInterval(() => document.hidden || reload(), seconds * 1000);
    return () => clearInterval(timer || undefined);
  }, [seconds, reload]);
  return { ...state.value, reload };
}

/** `data`: the pages that are here. `more` loads the next one; it is missing after the last. */
export interface Pages<Page> extends Resource<readonly Page[]> {
  readonly more?: () => Promise<void>;
}

/** A list that comes in pages. `next`: what follows a page, if anything does. Only a first page alone is loaded every `seconds`. */
export function usePages<Page, Mark>(
  load: (after: Mark | undefined, signal?: AbortSignal) => Promise<Page>,
  next: (page: Page) => Mark | null | undefined | false | "",
  inputs: readonly unknown[] = [],
  seconds = 0,
): Pages<Page> {
  const [further, setFurther] = useState<readonly Page[]>([]);
  const first = useResource((signal) => load(undefined, signal), inputs, further.length ? 0 : seconds);
  useEffect(() => setFurther([]), inputs);
  const pages = first.data && [first.data, ...further];
  const last = pages?.at(-1);
  const mark = last && next(last);
  return {
    ...first,
    data: pages,
    reload: () => {
      setFurther([]);
      first.reload();
    },
    ...(mark && { more: async () => setFurther([...further, await load(mark)]) }),
  };
}
