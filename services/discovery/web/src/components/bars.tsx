export interface Bar {
  readonly name: string;
  readonly bytes: number;
  /** What stands beside it. */
  readonly told: string;
}

/** As long as their bytes, the largest as long as there is room. */
export function Bars({ title, bars }: { readonly title: string; readonly bars: readonly Bar[] }) {
  const most = Math.max(1, ...bars.map((it) => it.bytes));
  return (
    <section>
      <h2>{title}</h2>
      <ul class="bars">
        {bars.map(({ name, bytes, told }) => (
          <li key={name}>
            <span class="bar-name" title={name}>
              {name}
            </span>
            <span class="bar" aria-hidden="true">
              <span style={{ width: `${(bytes / most) * 100}%` }} />
            </span>
            <span class="bar-value">{told}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
