const names = new Intl.DisplayNames("en", { type: "region", fallback: "code" });

/** `Finland (FI)`; a code that is none is shown as it is. */
export function countryName(code: string): string {
  try {
    const name = names.of(code);
    return name && name !== code ? `${name} (${code})` : code;
  } catch {
    return code;
  }
}

/** The codes in a text: `fi, de` is `FI` and `DE`. */
export function codesIn(text: string): readonly string[] {
  return [
    ...new Set(
      text
        .toUpperCase()
        .split(/[\s,;]+/)
        .filter(Boolean),
    ),
  ];
}
