"""The HTTP API, by tools that know nothing of it but its document."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

from harness.cases import Suite, check, equal
from harness.coordinates import artifacts
from harness.stage import Stage

SUITE = Suite("")
#: Requests of each operation, beside those at the limits of each argument.
EXAMPLES_MAX = 30
#: Which of them: the same in each run.
SEED = 7
#: What is asked of each answer. That what the document allows is taken is not: a text can be no address.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)
#: Answers to what cannot be, besides those that the tool knows.
REJECTED = "400,401,403,404,405,406,409,413,415,422,428,429,431"


async def _run(*command: str | Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=artifacts()
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


async def _token(x: Stage, name: str) -> str:
    """One that is good for everything but the end of the server, which would be the end of the test."""
    document = Path(__file__).resolve().parents[3] / "docs/operate/openapi.json"
    flows = json.loads(document.read_text(encoding="utf-8"))["paths"]
    scopes = {
        scope
        for operations in flows.values()
        for operation in operations.values()
        for needed in operation.get("security", [])
        for scope in needed.get("token", [])
    } - {"server:write"}
    config = x.server.data_dir.parent / "waxwing.toml"
    words = ("--config", config, "api-token", "create", name, "--scope", ",".join(sorted(scopes)), "--json")
    code, said = await _run(os.environ["WAXWING_BIN"], *words)
    equal(code, 0, f"making a token: {said}")
    token: str = json.loads(said)["token"]
    return token


def _document(x: Stage, token: str) -> Any:
    url = f"http://{x.server.host}:{x.server.http_port}/api/openapi.json"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@SUITE.case()
async def document(x: Stage) -> None:
    """What the server says of its API is OpenAPI 3.1."""
    token = await _token(x, "reader")
    described = await asyncio.to_thread(_document, x, token)
    equal(described["openapi"], "3.1.0", "the version")
    validate(described)


@SUITE.case(secs_max=300)
async def whatever_is_sent(x: Stage) -> None:
    """Values at the limits, beyond them, of other types, and made up: each answer is one of the document's."""
    token = await _token(x, "tester")
    base = f"http://{x.server.host}:{x.server.http_port}"
    settings = artifacts() / "openapi.toml"
    settings.write_text(
        f"[checks]\nnegative_data_rejection.expected-statuses = [{REJECTED}]\n",
        encoding="utf-8",
    )
    code, said = await _run(
        Path(sys.executable).parent / "schemathesis", "--config-file", settings, "run", f"{base}/api/openapi.json",
        "--url", base, "--header", f"Authorization: Bearer {token}", "--seed", str(SEED),
        "--max-examples", str(EXAMPLES_MAX), "--checks", ",".join(CHECKS), "--no-color",
    )  # fmt: skip
    (artifacts() / "openapi-schemathesis.log").write_text(said, encoding="utf-8")
    check(code == 0, f"see openapi-schemathesis.log: {said[said.find('= FAILURES'):][:1500]}")
    check("20 selected" in said or "selected / " in said, "nothing was tried")
