"""``complaints receive``: the receiver of pushed events, on loopback."""

import logging
import socket
from typing import Annotated

import typer

from complaint_assets.cli.common import WrongUse, err
from resources.queue import open_queue
from resources.settings import settings

app = typer.Typer()

HOST = "127.0.0.1"
MOST_CONNECTIONS = 256


@app.command()
def receive(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0: any that is free.")] = 3080,
) -> None:
    """Take pushed events into the queue: POST /events/CHANNEL/SOURCE, signed with the source's secret."""
    import uvicorn

    from complaint_assets.capture.receiver import Receiver
    from complaint_assets.contracts import load_contracts

    home = settings()
    sources = frozenset(load_contracts(home.contract_folders()))
    try:
        keys = home.receiver_keys()
    except ValueError as error:
        raise WrongUse(str(error)) from None
    unknown = sorted(keys.keys() - {"/".join(source) for source in sources})
    if unknown:
        raise WrongUse(f"COMPLAINTS_RECEIVER_SECRETS names sources without contract: {', '.join(unknown)}")
    home.home.mkdir(parents=True, exist_ok=True)
    receiver = Receiver(
        queue=open_queue(home.queue_url()),
        sources=sources,
        secrets=keys,
        verify_token=home.verify_token,
        rate=home.receiver_rate,
        disk=home.home,
        reserve_bytes=home.disk_reserve_mb << 20,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError as error:
            raise WrongUse(f"port {port} cannot be used ({error.strerror}); give another: --port") from None
        opened = ", ".join(sorted(keys)) or "no source: set COMPLAINTS_RECEIVER_SECRETS"
        err.print(
            f"Receiving on http://{HOST}:{listening.getsockname()[1]}/events/CHANNEL/SOURCE ({opened})",
            soft_wrap=True,
            highlight=False,
        )
        # No access log: the handshake's token stands in its address.
        config = uvicorn.Config(
            receiver.app(), access_log=False, log_config=None, limit_concurrency=MOST_CONNECTIONS
        )
        uvicorn.Server(config).run(sockets=[listening])
