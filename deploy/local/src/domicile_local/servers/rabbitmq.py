"""RabbitMQ as a private node: from Debian's package, or from an image where only Docker is at hand.

The system's own RabbitMQ service, if there is one, is neither used nor disturbed: our node has its own name, ports, port mapper
(epmd), cookie, configuration and data folder, and reads nothing below /etc/rabbitmq.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx

from domicile_local.errors import SuiteError
from domicile_local.servers import ports
from domicile_local.servers.process import Child, Program, private_folder, write_private
from domicile_local.trust import public_authorities

USER = "domicile"
# The wrapper of the same name on PATH insists on the system's `rabbitmq` user; this is the script behind it.
DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
IMAGE = "rabbitmq:3-management"
HOW_TO_INSTALL = (
    "RabbitMQ is missing. Install Debian's package (apt-get install --no-install-recommends rabbitmq-server), start a Docker engine, "
    "or point RABBITMQ_URL and RABBITMQ_MANAGEMENT_URL at an existing server."
)


@dataclass(frozen=True)
class RabbitPorts:
    """``dist`` and ``epmd`` are Erlang's own; only a node from Debian's package uses them."""

    amqp: int
    management: int
    dist: int
    epmd: int


def docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "version"], capture_output=True, timeout=20, check=False).returncode == 0


class RabbitMQ:
    name = "RabbitMQ"

    def __init__(self, folder: Path, numbers: RabbitPorts, password: str) -> None:
        self._folder = folder
        self._ports = numbers
        self._password = password
        self._children: list[Child] = []

    @property
    def url(self) -> str:
        """Without a virtual host: append ``/<vhost>``."""
        return f"amqp://{USER}:{quote(self._password, safe='')}@127.0.0.1:{self._ports.amqp}"

    @property
    def management_url(self) -> str:
        return f"http://{USER}:{quote(self._password, safe='')}@127.0.0.1:{self._ports.management}"

    @property
    def child(self) -> Child:
        if not self._children:
            raise SuiteError("RabbitMQ was not started")
        return self._children[-1]

    def check(self) -> None:
        """Raises SuiteError where it cannot be run."""
        if not DEBIAN_SERVER.exists() and not docker_answers():
            raise SuiteError(HOW_TO_INSTALL)

    def start(self) -> None:
        self.check()
        private_folder(self._folder)
        if DEBIAN_SERVER.exists():
            self._children = [Child(self._epmd())]
            self._children[0].wait_until(lambda: ports.answers(self._ports.epmd), 20)
            self._children.append(Child(self._node()))
        else:
            self._children = [Child(self._container())]

    def _epmd(self) -> Program:
        """In the foreground as our child; left to the node it would become a daemon that outlives us."""
        argv = ["epmd", "-address", "127.0.0.1", "-port", str(self._ports.epmd)]
        return Program(name="epmd", argv=argv, log=self._log(), cwd=self._folder)

    def _node(self) -> Program:
        config = self._folder / "rabbitmq.conf"
        write_private(
            config,
            f"""listeners.tcp.1 = 127.0.0.1:{self._ports.amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {self._ports.management}
default_user = {USER}
default_pass = {self._password}
disk_free_limit.absolute = 100MB
vm_memory_high_watermark.absolute = 1GB
""",
        )
        plugins = self._folder / "enabled_plugins"
        write_private(plugins, "[rabbitmq_management].\n")
        node = {
            "NODENAME": "domicile@localhost",
            "NODE_PORT": str(self._ports.amqp),
            "DIST_PORT": str(self._ports.dist),
            "CONFIG_FILE": str(config),
            "ADVANCED_CONFIG_FILE": str(self._folder / "advanced.config"),  # absent; the default lies below /etc
            "CONF_ENV_FILE": "/dev/null",
            "ENABLED_PLUGINS_FILE": str(plugins),
            "MNESIA_BASE": str(self._folder / "data"),
            "LOG_BASE": str(self._folder.parent / "logs"),
            "LOGS": "-",
            "PID_FILE": str(self._folder / "pid"),
            # Idle schedulers sleep at once instead of spinning; Erlang's own distribution listens on this machine only.
            "SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        # The start script then becomes the node itself, so that signals and figures are the node's.
        script = {"RUNNING_UNDER_SYSTEMD": "true"}
        erlang = {"HOME": str(self._folder), "ERL_EPMD_PORT": str(self._ports.epmd), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        return Program(
            name=self.name,
            argv=[str(DEBIAN_SERVER)],
            log=self._log(),
            cwd=self._folder,
            env=script | erlang | {f"RABBITMQ_{name}": value for name, value in node.items()},
            patience=30,
        )

    def _container(self) -> Program:
        """The docker client stays in the foreground and passes signals on to the container, which goes when it ends."""
        image = os.environ.get("DOMICILE_RABBITMQ_IMAGE", IMAGE)
        environment = private_folder(self._folder) / "container.env"
        write_private(environment, f"RABBITMQ_DEFAULT_USER={USER}\nRABBITMQ_DEFAULT_PASS={self._password}\n")
        argv = ["docker", "run", "--rm", "--sig-proxy=true", "--hostname=domicile", f"--env-file={environment}"]
        argv += [f"--publish=127.0.0.1:{self._ports.amqp}:5672", f"--publish=127.0.0.1:{self._ports.management}:15672"]
        argv += [f"--name=domicile-rabbitmq-{self._ports.amqp}", f"--volume={self._folder / 'data'}:/var/lib/rabbitmq", image]
        docker = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_") or name == "HOME"}
        return Program(name=self.name, argv=argv, log=self._log(), cwd=self._folder, env=docker, patience=30)

    def _log(self) -> Path:
        return self._folder.parent / "logs" / "rabbitmq.log"

    def wait_ready(self, seconds: float = 120) -> None:
        self.child.wait_until(self._answers, seconds)

    def _answers(self) -> bool:
        return ports.answers(self._ports.management) and ports.answers(self._ports.amqp) and answers(self.management_url)

    def ask_to_stop(self) -> None:
        for child in self._children[-1:]:
            child.ask_to_stop()

    def stop(self) -> None:
        """The node first: its port mapper must see it leave."""
        for child in reversed(self._children):
            child.stop()

    def kill(self) -> None:
        for child in reversed(self._children):
            child.kill()


def manage(management_url: str, method: str, path: str, body: dict[str, object] | None = None) -> httpx.Response:
    """One call of the management API (``path`` without ``/api``); 404 is an answer, any other failure a SuiteError."""
    url = httpx.URL(management_url)
    place = f"RabbitMQ's management API at {url.copy_with(username=None, password=None)}"
    try:
        response = httpx.request(
            method,
            f"{management_url.rstrip('/')}/api{path}",
            json=body,
            timeout=20,
            trust_env=False,
            verify=public_authorities(),
        )
    except httpx.HTTPError as error:
        raise SuiteError(f"{place}: {error or type(error).__name__}") from error
    if response.is_error and response.status_code != httpx.codes.NOT_FOUND:
        raise SuiteError(f"{place} answered {response.status_code} to {method} {path}")
    return response


def answers(management_url: str) -> bool:
    """The node runs, its virtual hosts are up, and the credentials are good."""
    try:
        return manage(management_url, "GET", "/health/checks/virtual-hosts").status_code == httpx.codes.OK
    except SuiteError:
        return False


def make_vhost(management_url: str, vhost: str) -> None:
    """Creates a virtual host for the user of ``management_url``; harmless when it is there."""
    user = httpx.URL(management_url).username
    manage(management_url, "PUT", f"/vhosts/{quote(vhost, safe='')}")
    everything: dict[str, object] = {"configure": ".*", "write": ".*", "read": ".*"}
    manage(management_url, "PUT", f"/permissions/{quote(vhost, safe='')}/{quote(user, safe='')}", everything)


def drop_vhost(management_url: str, vhost: str) -> None:
    manage(management_url, "DELETE", f"/vhosts/{quote(vhost, safe='')}")
