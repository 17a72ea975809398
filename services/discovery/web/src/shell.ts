/** A word for a POSIX shell. Whatever stands in a line to copy goes through it: a link may have brought it. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
