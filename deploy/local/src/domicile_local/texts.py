"""What the launcher tells a person who has just started a suite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx


def welcome(env: Mapping[str, str], run_env: Path) -> str:
    endpoint, access, secret = env["DOMICILE_S3_ENDPOINT"], env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"]
    ui = httpx.URL(env["RABBITMQ_MANAGEMENT_URL"])
    return f"""
Domicile is ready. Look at it in a browser:

  {env["DOMICILE_DISCOVERY_URL"]}

Operators sign in with the admin key, tenants with an access key; the explorer takes the keys of any S3, such as those of the backends in run.env.

  S3 endpoint    {endpoint}
  tenant demo    {access}  {secret}
  tenant alt     {env["DOMICILE_ALT_ACCESS_KEY"]}  {env["DOMICILE_ALT_SECRET_KEY"]}
  RabbitMQ       {ui.copy_with(username=None, password=None)}  (user {ui.username}, password {ui.password})
  admin API      {env["DOMICILE_METADATA_URL"]}/proxy/  (X-Admin-Key: {env["ADMIN_API_KEY"]})
  all of it      {run_env}

domicile:
  set -a; . {run_env}; set +a
  .venv/bin/domicile status

aws-cli:
  export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID={access} AWS_SECRET_ACCESS_KEY={secret}
  aws s3 mb s3://reports && aws s3 cp README.md s3://reports/ && aws s3 ls s3://reports/

boto3:
  import boto3
  s3 = boto3.client("s3", endpoint_url="{endpoint}", region_name="us-east-1",
                    aws_access_key_id="{access}", aws_secret_access_key="{secret}")
  print(s3.list_buckets()["Buckets"])

rclone:
  rclone lsd ":s3,provider=Other,endpoint='{endpoint}',access_key_id={access},secret_access_key={secret}:"

Ctrl-C stops everything; the data stays in {run_env.parent}.
"""
