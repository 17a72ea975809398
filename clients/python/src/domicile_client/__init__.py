"""A client of Domicile's HTTP APIs.

::

    from domicile_client import Domicile, jobs, tenants

    with Domicile("http://127.0.0.1:9010", admin_key=...) as domicile:
        domicile.ask(tenants.create("acme", name="Acme Oy"))
        for job in domicile.rows(jobs.list_all("parked", tenant="acme")):
            print(job["key"], job["parked_reason"])

Functions of the subjects (``tenants``, ``keys``, ``backends``, …) make calls; ``Domicile`` sends them, and ``AsyncDomicile`` does for asyncio.
Answers are dictionaries with the fields that docs/api.md describes.
"""

from domicile_client.call import Call
from domicile_client.client import AsyncDomicile, Domicile
from domicile_client.errors import ClientError, Misdirected, NoAnswer, NotAdmitted, Refused

__all__ = ["AsyncDomicile", "Call", "ClientError", "Domicile", "Misdirected", "NoAnswer", "NotAdmitted", "Refused"]
