"""A real server on loopback that speaks OpenAI's interface, with faults on demand.

Run as a program it serves until it is killed: ``python serving.py PORT LOG [FAULTS]``. It answers a
question with the sum that it asks for, and notes each question that it answered in LOG.
"""

import asyncio
import re
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Served:
    """What the server was asked, and the faults that it is to show each question first."""

    def __init__(self, faults: list[str], log: Path | None = None, pause_s: float = 0.0) -> None:
        self.faults, self.log, self.pause_s = faults, log, pause_s
        self.tries: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.bodies: list[dict] = []

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        key = f"{prompt}|{body['temperature']}|{body['seed']}"
        fault = self.faults[self.tries[key]] if self.tries[key] < len(self.faults) else ""
        self.tries[key] += 1
        if fault:
            return await self._fault(fault, request)
        await asyncio.sleep(self.pause_s)
        numbers = re.findall(r"(\d+) \+ (\d+)", prompt)
        text = f"The answer is {sum(map(int, numbers[-1]))}." if numbers else "?"
        self.answered[key] += 1
        if self.log:
            with open(self.log, "a") as file:
                file.write(key.replace("\n", " ") + "\n")
        choice = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        return JSONResponse({"choices": [choice], "usage": {"completion_tokens": 5}})

    async def _fault(self, fault: str, request: Request) -> Response:
        if fault == "cut":
            # A length that never comes: the server closes the connection in the middle.
            return Response('{"choices": [{"te', headers={"content-length": "1000"})
        if fault == "half":
            return Response('{"choices": [{"te', media_type="application/json")
        if fault == "empty":
            return JSONResponse({"choices": []})
        headers = {"retry-after": "0.01"} if fault == "429" else {}
        return JSONResponse({"error": {"message": "busy"}}, int(fault), headers)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.answer, methods=["POST"]),
                Route("/v1/completions", self.answer, methods=["POST"]),
            ]
        )


@contextmanager
def serving(served: Served):
    """The server in a thread, on a free port; yields its base URL."""
    config = uvicorn.Config(served.app(), port=0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    port, log = int(sys.argv[1]), Path(sys.argv[2])
    served = Served(sys.argv[3:], log, pause_s=0.1)
    uvicorn.run(served.app(), port=port, log_level="critical", ws="none")
