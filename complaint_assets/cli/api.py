"""``complaints api``: serves the metrics over HTTP, on loopback."""

from typing import Annotated

import typer

from complaint_assets.cli.common import WrongUse, err, stores, warehouse
from resources.settings import settings

app = typer.Typer()
HOST = "127.0.0.1"
MOST_CONNECTIONS = 200


@app.command("api")
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on loopback.")] = 3090,
) -> None:
    """Serve GET /v1/metrics, /v1/kpi/METRIC and /v1/openapi.json, read-only; a token per role."""
    import uvicorn

    from complaint_assets.roles import load_roles
    from complaint_assets.serving.answers import answer
    from complaint_assets.serving.api import LEAST_TOKEN, Api

    try:
        tokens = settings().role_tokens()
    except ValueError as error:
        raise WrongUse(str(error)) from None
    if unknown := sorted(tokens.keys() - load_roles().roles.keys()):
        raise WrongUse(f"COMPLAINTS_API_TOKENS names no role: {', '.join(unknown)}")
    if short := sorted(role for role, token in tokens.items() if len(token.get_secret_value()) < LEAST_TOKEN):
        raise WrongUse(f"COMPLAINTS_API_TOKENS: {', '.join(short)}: a token has {LEAST_TOKEN} characters or more")
    home, store = stores(), warehouse()
    api = Api(tokens, lambda question: answer(home, store, question))
    opened = ", ".join(sorted(tokens)) or "no role: set COMPLAINTS_API_TOKENS"
    err.print(f"Serving http://{HOST}:{port}/v1/metrics ({opened})", soft_wrap=True, highlight=False)
    uvicorn.run(
        api.app(), host=HOST, port=port, access_log=False, log_level="warning", limit_concurrency=MOST_CONNECTIONS
    )
