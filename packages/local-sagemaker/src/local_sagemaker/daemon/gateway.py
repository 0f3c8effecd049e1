"""ministack as we let others reach it: behind the session token, without its administration.

What ministack hands out as credentials (to functions, by STS) or as signed addresses (a function's code)
carries tokens that `Access` knows. These few of its functions are replaced, as ministack has no settings.
"""

import sys
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

import ministack.app
from ministack.core import lambda_runtime

from local_sagemaker.api.access import Access
from local_sagemaker.core import tokens
from local_sagemaker.serving.browsers import App, Receive, Scope, Send

HEALTH = "/_ministack/health"
# Addresses that CloudFormation gives to custom resources and wait conditions; each holds its own secret.
_CALLBACKS = ("/_ministack/cfn-response/", "/_ministack/cfn-signal/")
_DOWNLOADS = ("/_ministack/lambda-code/", "/_ministack/lambda-layers/")
_ADMINISTRATION = ("/_ministack", "/_localstack")

_assumed: ContextVar[str] = ContextVar("_assumed", default="")


def create_app(token: str, port: int, command: str) -> App:
    """ministack's ASGI application on `port`, for clients with `token`. To be called once in a process.

    `command` is what users type before ``env``.
    """
    _hand_out(token)
    return Access(_without_administration(ministack.app.app), token, port, command, is_public=_is_public)


def _is_public(method: str, path: str) -> bool:
    return path == HEALTH or (method == "PUT" and path.startswith(_CALLBACKS))


def _without_administration(app: App) -> App:
    """`app` where nobody may empty it or change its settings: its state belongs to us."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        known = path == HEALTH or path.startswith((*_CALLBACKS, *_DOWNLOADS))
        if path.startswith(_ADMINISTRATION) and not known:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"not served by local-sagemaker"})
            return
        await app(scope, receive, send)

    return serve


def _hand_out(token: str) -> None:
    credentials = lambda_runtime.execution_credentials
    lambda_runtime.execution_credentials = lambda config: (
        credentials(config) | {"AWS_SESSION_TOKEN": tokens.of_role(token, config.get("Role", ""))}
    )
    # Whole services take long to load: they are adapted when ministack loads them, or now if it has.
    load = ministack.app._get_module
    waiting = {"lambda_svc": _adapt_lambda, "sts": _adapt_sts}

    def load_and_adapt(name: str) -> Any:
        module = load(name)
        if adapt := waiting.pop(name, None):
            adapt(module, token)
        return module

    ministack.app._get_module = load_and_adapt
    for name in [name for name in waiting if f"ministack.services.{name}" in sys.modules]:
        load_and_adapt(name)


def _adapt_lambda(module: Any, token: str) -> None:
    own = tokens.of_role(token, "lambda.amazonaws.com").replace(":", "%3A")
    module.execution_credentials = lambda_runtime.execution_credentials
    code, layer = module._presigned_code_url, module._layer_content_url
    module._presigned_code_url = lambda name: f"{code(name)}&X-Amz-Security-Token={own}"
    module._layer_content_url = lambda *names: f"{layer(*names)}?X-Amz-Security-Token={own}"


def _adapt_sts(module: Any, token: str) -> None:
    handle = module.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        parameters = {**query, **parse_qs(body.decode(errors="replace"))}
        _assumed.set(parameters.get("RoleArn", [""])[0])
        return await handle(method, path, headers, body, query)

    module.handle_request = handle_request
    module._gen_session_token = lambda: tokens.of_role(token, _assumed.get()) if _assumed.get() else token
