import { useSignal } from "@preact/signals";
import { useCallback, useEffect, useRef } from "preact/hooks";

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
    const timer = seconds && setInterval(() => document.hidden || reload(), seconds * 1000);
    return () => {
      clearInterval(timer || undefined);
      running.current?.abort();
    };
  }, [...inputs, seconds, reload]);
  return { ...state.value, reload };
}
