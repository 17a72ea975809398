"""``python -m domicile_common.amqp.definitions [--vhost V] <backend id>…`` prints the topology as RabbitMQ definitions."""

from __future__ import annotations

import argparse
import json
import sys

from domicile_common.amqp.topology import definitions


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="domicile_common.amqp.definitions", description=__doc__)
    parser.add_argument("--vhost", default="/")
    parser.add_argument("backends", nargs="*", metavar="backend id")
    options = parser.parse_args(arguments)
    json.dump(definitions(options.backends, options.vhost), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
