import assert from "node:assert/strict";
import test from "node:test";
import { lines } from "./lines.ts";

test("lines for a folder and an object", () => {
  const target = { endpoint: "https://s3.example", region: "fr", bucket: "b", prefix: "it's/" };
  assert.equal(
    lines(target)[1],
    `aws s3 ls --recursive --summarize 's3://b/it'\\''s/' --endpoint-url https://s3.example --region fr`,
  );
  assert.match(
    lines({ ...target, key: "k", versionId: "v" })[0] as string,
    /^aws s3api head-object --bucket b --key k --version-id v /,
  );
});
