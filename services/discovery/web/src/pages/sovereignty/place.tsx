import { link } from "../../router.ts";

/** Sites of the catalogue are named `<provider>/<site>`, and can be looked at. */
export function Place({ id }: { readonly id: string }) {
  const [provider = "", site] = id.split("/");
  return site === undefined ? <strong>{id}</strong> : <a href={link("catalogue", [provider])}>{id}</a>;
}
