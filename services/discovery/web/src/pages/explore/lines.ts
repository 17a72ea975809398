import { quoted } from "../../shell.ts";

/** What to paste into a shell to see the same there. Keys are not in it: the tools take them from where they keep them. */
export interface Target {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly prefix?: string;
  readonly key?: string;
  readonly versionId?: string;
}

export function lines({ endpoint, region, bucket, prefix = "", key, versionId }: Target): string[] {
  const at = `--endpoint-url ${quoted(endpoint)} --region ${quoted(region)}`;
  const remote = `:s3,provider=Other,env_auth=true,endpoint=${connection(endpoint)},region=${connection(region)}:${bucket}/${key ?? prefix}`;
  if (key !== undefined) {
    const what = `--bucket ${quoted(bucket)} --key ${quoted(key)}${versionId ? ` --version-id ${quoted(versionId)}` : ""}`;
    return [
      `aws s3api head-object ${what} ${at}`,
      `aws s3api get-object ${what} ${at} ${quoted(key.split("/").at(-1) || "object")}`,
      `rclone copyto ${quoted(remote)} ${quoted(key.split("/").at(-1) || "object")}`,
    ];
  }
  return [
    `aws s3api list-objects-v2 --bucket ${quoted(bucket)} --prefix ${quoted(prefix)} --delimiter / ${at}`,
    `aws s3 ls --recursive --summarize ${quoted(`s3://${bucket}/${prefix}`)} ${at}`,
    `rclone size ${quoted(remote)}`,
  ];
}

/** https://rclone.org/docs/#connection-strings */
function connection(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
