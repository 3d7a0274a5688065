"""The HTTP API: the same metrics, read-only, one token per role.

``GET /v1/metrics``, ``GET /v1/kpi/{metric}`` and ``GET /v1/openapi.json``. It listens on loopback, behind the
proxy that holds the certificate. Answers hold figures, never an identifier; nothing of a question is logged.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from complaint_assets.metrics import load_metrics
from complaint_assets.serving.answers import Answer, BadQuestion, Denied, Question, may_ask

MOST_LIMIT = 1_000
MOST_QUERY = 4_096
LEAST_TOKEN = 32
_ASKED = ("from", "to", "by", "as_of", "limit", "offset")
_HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff", "Vary": "Authorization"}


class Refusal(Exception):
    """An answer that is no 2xx."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def refused(_: Request, refusal: Exception) -> Response:
    """What is refused, and why, as JSON."""
    status = refusal.status if isinstance(refusal, Refusal) else 500
    headers = {**_HEADERS, **({"WWW-Authenticate": "Bearer"} if status == 401 else {})}
    return JSONResponse({"error": str(refusal) if status < 500 else "internal error"}, status, headers)


class Api:
    """Answers questions.

    Args:
        tokens: the token of each role; a role without is closed.
        answer: gives the answer to a question.
    """

    def __init__(self, tokens: Mapping[str, SecretStr], answer: Callable[[Question], Answer]) -> None:
        self._tokens = {role: _digest(token.get_secret_value()) for role, token in tokens.items()}
        self._answer = answer

    def app(self) -> Starlette:
        """The application to serve."""
        return Starlette(
            routes=[
                Route("/v1/metrics", self.metrics, methods=["GET"]),
                Route("/v1/kpi/{metric}", self.kpi, methods=["GET"]),
                Route("/v1/openapi.json", self.openapi, methods=["GET"]),
            ],
            exception_handlers={Refusal: refused, Exception: refused},
        )

    def _role(self, request: Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = _digest(token.strip() if scheme.lower() == "bearer" else "")
        # Every token is compared, each in constant time: how long it takes tells nothing.
        roles = [role for role, known in self._tokens.items() if hmac.compare_digest(given, known)]
        if not roles:
            raise Refusal(401, "give the token of a role: Authorization: Bearer TOKEN")
        try:
            may_ask(roles[0])
        except Denied as denied:
            raise Refusal(403, str(denied)) from None
        return roles[0]

    async def metrics(self, request: Request) -> Response:
        """Every metric: what it means, unit, good direction, owner."""
        self._role(request)
        known = load_metrics()
        rows = [
            {
                "name": m.name,
                "meaning": m.meaning,
                "unit": m.unit,
                "good": m.good,
                "owner": m.owner,
                "by": list(m.by),
            }
            for m in known.metrics.values()
        ]
        return _tagged(request, {"metrics_version": known.version, "metrics": rows})

    async def kpi(self, request: Request) -> Response:
        """One metric over whole days, by dimensions, filtered, in pages."""
        role = self._role(request)
        if len(request.url.query) > MOST_QUERY:
            raise Refusal(414, f"the query may have up to {MOST_QUERY} characters")
        asked = request.query_params
        limit, offset = _number(asked, "limit", 100, 1, MOST_LIMIT), _number(asked, "offset", 0, 0, 10**9)
        by = asked.get("by")
        question = Question(
            metric=request.path_params["metric"],
            first=_day(asked, "from"),
            last=_day(asked, "to"),
            role=role,
            by=None if by is None else tuple(name for name in by.split(",") if name),
            filters={name: tuple(asked.getlist(name)) for name in asked if name not in _ASKED},
            as_of=_day(asked, "as_of") if "as_of" in asked else None,
        )
        try:
            found = await run_in_threadpool(self._answer, question)
        except BadQuestion as wrong:
            known = question.metric in load_metrics().metrics
            raise Refusal(400 if known else 404, str(wrong)) from None
        rows = found.rows[offset : offset + limit]
        following = offset + limit if offset + limit < len(found.rows) else None
        page = {"rows": rows, "total": len(found.rows), "offset": offset, "next_offset": following}
        return _tagged(request, {**found.about(), **page})

    async def openapi(self, request: Request) -> Response:
        """The description of this API (OpenAPI 3.1)."""
        return _tagged(request, document())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _tagged(request: Request, content: Mapping[str, Any]) -> Response:
    """``content`` as JSON, or 304 if the asker has it."""
    body = json.dumps(content, default=str, ensure_ascii=False, sort_keys=True).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": tag}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _day(asked: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(asked[name])
    except (KeyError, ValueError):
        raise Refusal(400, f"{name}: give a day as YYYY-MM-DD") from None


def _number(asked: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = asked.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or not low <= int(text) <= high:
        raise Refusal(400, f"{name}: give a number from {low} to {high}")
    return int(text)


def document() -> dict[str, Any]:
    """The OpenAPI document, made from the metrics."""
    known = load_metrics()

    def parameter(name: str, where: str, text: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
        return {"name": name, "in": where, "description": text, "schema": schema, "required": required}

    day = {"type": "string", "format": "date"}
    number = {"type": "integer", "minimum": 0}
    failures = {
        status: {"description": text}
        for status, text in (("400", "Wrong question."), ("401", "No token."), ("403", "Not for this role."))
    }
    answered = {"200": {"description": "The answer."}, "304": {"description": "As you have it."}, **failures}
    parameters = [
        parameter("metric", "path", "Metric.", {"type": "string", "enum": sorted(known.metrics)}, required=True),
        parameter("from", "query", "First day (UTC).", day, required=True),
        parameter("to", "query", "Last day, included.", day, required=True),
        parameter("by", "query", "Dimensions, separated by commas.", {"type": "string"}, required=False),
        parameter("as_of", "query", "As it stood at the end of that day.", day, required=False),
        parameter("limit", "query", f"Rows of a page, at most {MOST_LIMIT}.", number, required=False),
        parameter("offset", "query", "First row of the page.", number, required=False),
        *(
            parameter(name, "query", f"Only this {name}; repeatable.", {"type": "string"}, required=False)
            for name in ("channel", "category", "domain", "region")
        ),
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Complaint metrics", "version": known.version},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
        "paths": {
            "/v1/metrics": {"get": {"summary": "Every metric.", "responses": answered}},
            "/v1/kpi/{metric}": {
                "get": {
                    "summary": "A metric.",
                    "parameters": parameters,
                    "responses": {**answered, "404": {"description": "No such metric."}},
                }
            },
            "/v1/openapi.json": {
                "get": {"summary": "This document.", "security": [], "responses": {"200": {"description": "It."}}}
            },
        },
    }
