"""The emulated Aliyun as a whole: started, stopped, and what a client needs in its environment to reach it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, final

from tests.aliyun.emulation.api import Api
from tests.aliyun.emulation.certificates import Certificates
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.control import ControlServer
from tests.aliyun.emulation.dns_server import DnsServer
from tests.aliyun.emulation.faults import Faults
from tests.aliyun.emulation.hypervisor import Hypervisor, Nothing
from tests.aliyun.emulation.journal import Journal
from tests.aliyun.emulation.resume import resume
from tests.aliyun.emulation.server import ApiServer
from tests.aliyun.emulation.signature import Verifier
from tests.aliyun.emulation.state import Store
from tests.aliyun.emulation.work import AtOnce, Queue

KEY_ID = "emulated-key"
SECRET = "emulated-secret"  # noqa: S105 - it opens nothing
ACCOUNT = "1000000000000001"
PRODUCTS = ("ECS", "VPC", "ALIDNS", "BSSOPENAPI", "STS")


@final
@dataclass(frozen=True, kw_only=True)
class Options:
    """How an emulation is to run.

    Attributes:
        state: the folder of everything that it keeps.
        region: the one region that there is.
        domains: the zones at Alidns.
        hypervisor: what runs the instances; ``Nothing`` does it within the call, others in a thread.
        settle: seconds that every change takes at least, as on the real cloud.
        address, port: of the API; port 0: any free one.
        control_port: of the control interface; likewise.
        dns_address, dns_port: of the name server; likewise.
        now: the clock.
    """

    state: Path
    region: str = "cn-hangzhou"
    domains: Sequence[str] = ("example.com",)
    hypervisor: Hypervisor = field(default_factory=Nothing)
    settle: float = 1.0
    address: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    dns_address: str = "127.0.0.1"
    dns_port: int = 0
    now: Callable[[], float] = time.time


@final
class Emulation:
    """An emulated account. Use it as a context; ``environment`` is for whoever is to talk to it."""

    def __init__(self, options: Options) -> None:
        options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._options = options
        self.certificates = Certificates(options.state / "certificates")
        store = Store(options.state / "state.json")
        self.cloud = Cloud(
            region=options.region,
            account=ACCOUNT,
            domains=[domain.lower() for domain in options.domains],
            hypervisor=options.hypervisor,
            work=AtOnce() if isinstance(options.hypervisor, Nothing) else Queue(),
            store=store,
            settle=options.settle,
            now=options.now,
            state=store.load(),
        )
        self.faults = Faults()
        self.journal = Journal(options.state / "journal.jsonl")
        api = Api(
            cloud=self.cloud,
            verifier=Verifier(key_id=KEY_ID, secret=SECRET),
            faults=self.faults,
            journal=self.journal,
        )
        self._api = ApiServer((options.address, options.port), api, self.certificates.context())
        self._control = ControlServer(("127.0.0.1", options.control_port), api)
        self.dns = DnsServer(self.cloud, options.dns_address, options.dns_port)
        self.endpoint = f"{options.address}:{self._api.server_address[1]}"
        self.control = f"http://127.0.0.1:{self._control.server_address[1]}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client needs, and nothing else: the program itself stays unchanged."""
        return {
            "ALICLOUD_ACCESS_KEY": KEY_ID,
            "ALICLOUD_SECRET_KEY": SECRET,
            "ALICLOUD_REGION": self._options.region,
            "ALICLOUD_ACCOUNT_ID": ACCOUNT,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
            "ALIBABA_CLOUD_ACCOUNT_TYPE": "Domestic",
            **{f"ALIBABA_CLOUD_ENDPOINT_{product}": self.endpoint for product in PRODUCTS},
            "LOCATION_ENDPOINT": self.endpoint,
            "SSL_CERT_FILE": str(self.certificates.bundle),
            "NO_PROXY": "127.0.0.1,localhost",
            "EMULATED_ALIYUN_CONTROL": self.control,
            "EMULATED_ALIYUN_DNS": f"{self._options.dns_address}:{self.dns.port}",
        }

    def start(self) -> None:
        """Serve, and take up again what was under way when it was stopped."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(self.environment.items())]
        resume(self.cloud)
        self._api.serve()
        self._control.serve()
        self.dns.start()
        (self._options.state / "environment").write_text("\n".join(exports) + "\n")

    def stop(self) -> None:
        """Stop serving; what exists stays, and so do the hypervisor's machines."""
        for server in (self._api, self._control):
            server.shutdown()
            server.server_close()
        self.dns.stop()
        self.cloud.work.finish()
        with self.cloud.lock:
            self.cloud.save()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
