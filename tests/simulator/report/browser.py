"""A headless Chromium to open a report in, spoken to over its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--remote-debugging-port=0",
)


def find_chromium() -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


@dataclass(frozen=True, slots=True)
class Screen:
    """In CSS pixels; a phone has a finger instead of a pointer."""

    width: int
    height: int
    is_phone: bool = False
    is_dark: bool = False


@dataclass(slots=True)
class Page:
    """One open tab. ``complaints`` are console errors, exceptions and blocked loads;
    ``requests`` the addresses it asked for."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    is_loaded: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        answered = self._answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await answered
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    async def evaluate(self, expression: str) -> Any:
        """What the expression comes to in the page, once it is there."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def listen(self) -> None:
        async for message in self.socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            else:
                self._note(told["method"], told["params"])

    def _note(self, method: str, facts: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self.is_loaded.set()
        elif method == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(facts["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and facts["type"] in {"error", "warning"}:
            self.complaints.append(str(facts["args"]))
        elif method == "Log.entryAdded" and facts["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(facts["entry"]["text"])

    async def show(self, path: Path, screen: Screen) -> None:
        """Opens the file, and waits until it has loaded."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=screen.width,
            height=screen.height,
            deviceScaleFactor=2 if screen.is_phone else 1,
            mobile=screen.is_phone,
        )
        await self.call("Emulation.setTouchEmulationEnabled", enabled=screen.is_phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if screen.is_dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.is_loaded.clear()
        await self.call("Page.navigate", url=path.as_uri())
        await self.is_loaded.wait()

    async def take_picture(self, **clip: float) -> bytes:
        """A PNG of the screen, or of a part of the page (x, y, width, height, scale)."""
        parts: dict[str, object] = {"clip": clip, "captureBeyondViewport": True} if clip else {}
        answer = await self.call("Page.captureScreenshot", format="png", **parts)
        return base64.b64decode(answer["data"])


@asynccontextmanager
async def open_browser(chromium: str, profile: Path) -> AsyncIterator[Page]:
    """A tab of a browser that has nothing of anyone's: ``profile`` is an empty folder."""
    process = await asyncio.create_subprocess_exec(
        *(chromium, *_FLAGS, f"--user-data-dir={profile}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        address = await _read_address(process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{address}/json/list") as answer:
                tabs = await answer.json()
            tab = next(each for each in tabs if each["type"] == "page")
            async with session.ws_connect(
                tab["webSocketDebuggerUrl"], max_msg_size=64 << 20
            ) as socket:
                page = Page(socket)
                # A group, so that a listener that fails ends whoever waits for its answers.
                async with asyncio.TaskGroup() as group:
                    group.create_task(page.listen())
                    yield page
                    await socket.close()
    finally:
        process.terminate()
        await process.communicate()


async def _read_address(process: asyncio.subprocess.Process) -> str:
    """Chromium prints ``DevTools listening on ws://127.0.0.1:PORT/...`` once it does."""
    assert process.stderr is not None
    said = []
    async for raw in process.stderr:
        line = raw.decode(errors="replace")
        said.append(line)
        if "DevTools listening on ws://" in line:
            return line.split("ws://")[1].split("/")[0]
    raise AssertionError("Chromium ended: " + "".join(said))
