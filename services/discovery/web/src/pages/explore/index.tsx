import { account } from "../../explorer/index.ts";
import type { PageProps } from "../index.ts";
import { Accounts } from "./accounts.tsx";
import { BucketPage } from "./bucket.tsx";
import "./style.css";

/** `#/explore/<account>/<bucket>/<prefix>`; `endpoint` and `region` in the query say where that is, for whoever gets the link and has keys of their own. */
export default function Explore({ route }: PageProps) {
  const [name = "", bucket, prefix = ""] = route.path;
  const opened = account(name);
  if (opened && bucket !== undefined)
    return <BucketPage key={`${name}/${bucket}`} account={opened} bucket={bucket} prefix={prefix} query={route.query} />;
  return (
    <Accounts wanted={opened ? undefined : { name, endpoint: route.query.endpoint ?? "", region: route.query.region ?? "" }} />
  );
}
