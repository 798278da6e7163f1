"""Opens the model's WebSocket: websocket-client does URL, proxy, TLS and handshake in a thread pool.

The connected socket is then handed to the event loop as a Wire. The library's own receive and send are not used: only
the loop's thread may touch a socket. What a server answers to the upgrade is a stranger's: it is read within limits of
length and time, and whatever it makes the library raise, the call is told that its dial has failed.
May import: actors, protocols, websocket-client, websockets, the standard library.
Rules from: docs/specs/reliability.md 3.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from itertools import chain
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import websocket
from loguru import logger
from websocket._url import get_proxy_info, parse_url
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from actors.bots import ModelSettings
from actors.metrics import CLOCK_DISAGREEMENTS, MODEL_CIRCUIT, MODEL_LIMITED
from actors.system.address import Address, send
from actors.transport.circuit import PROBE_S, REFUSED_CALLS, Circuit, Milestone
from actors.transport.connecting import READ_BYTES, ProxyRefused, addresses_of, connect_to_one, read_head, tunnel
from actors.transport.rate_limit import MODEL_TRAFFIC
from actors.transport.refused_settings import RefusedSettings
from actors.transport.websocket import KeepAlive, SocketWire, Wire
from protocols.media import LPCM16_24, MediaFormat
from protocols.realtime.refusals import BUSY_STATUSES, FINAL_STATUSES, http_date, retry_after_s

# Sixteen seconds of 24 kHz audio in one event; no event of the Realtime API is nearly as long. A longer one ends the
# session, not the call: what the loop takes to read it, all calls would wait.
MAX_MESSAGE_BYTES = 1024 * 1024
# Bots' settings with a circuit breaker of their own.
MAX_CIRCUITS = 1000
# For each step of connecting: TCP, TLS, the upgrade. The call has time for several attempts (policies.MODEL_LIMIT_S).
CONNECT_LIMIT_S = 5.0
# Threads of the pool. A model that does not answer holds one for CONNECT_LIMIT_S, and a second attempt needs another.
MAX_DIALS = 128
# The longest wait named by the server (Retry-After) for which an attempt is delayed; less than the time for setting a
# session up. A longer one counts as a refusal: the caller would hear nothing but "one moment".
HOLD_LIMIT_S = 10.0
# Attempts of all calls that are delayed are this far apart, so that they do not all hit the limit again at once.
HOLD_SPACING_S = 0.02
# The last of them is no later than this after the first.
HOLD_SPREAD_S = 2.0
# How far the model's clock, as of the upgrade's Date header (whole seconds), may be from ours.
CLOCK_LIMIT_S = 60.0
# A TCP path may survive an outage of five seconds, so the limit is longer; the caller is told "one moment" before that.
KEEPALIVE = KeepAlive(interval_s=2.0, limit_s=6.0, quiet_s=2.0)


@dataclass(frozen=True, slots=True)
class Dialled:
    """The socket is open and upgraded."""

    wire: Wire


@dataclass(frozen=True, slots=True)
class DialFailed:
    """The socket could not be opened.

    status: of the HTTP answer, 0 without one. reason: free of secrets. final: another attempt would fail as well.
    """

    status: int
    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a socket is for. call: the conversation's id. settings: of the session, None for those of the URL. media:
    the session's format.
    """

    call: str
    settings: ModelSettings | None = None
    media: MediaFormat = LPCM16_24


class NoCredentials(Exception):
    """Nothing can be presented to the model's endpoint now. Its text is free of secrets."""


class Credentials(Protocol):
    """What proves to the model's endpoint who we are. For any thread."""

    def headers(self) -> Mapping[str, str]:
        """For an upgrade. May block for seconds. Raises: NoCredentials."""
        ...

    def refused(self) -> None:
        """The endpoint has refused them: other ones should be had, if there may be any."""
        ...


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """Credentials that stay."""

    given: Mapping[str, str]

    def headers(self) -> Mapping[str, str]:
        return self.given

    def refused(self) -> None:
        """There are no others."""


class Dials(Protocol):
    """Opens sockets to the model: a Dialler in the product."""

    def dial(self, caller: Address[Dialled | DialFailed], purpose: Purpose, /) -> None:
        """Open a socket; the caller is told the outcome later."""
        ...

    def refused(self, reason: str, purpose: Purpose, step: Milestone, /) -> None:
        """The model has refused a session in a way that another attempt with these settings would not change."""
        ...

    def worked(self, step: Milestone, purpose: Purpose, /) -> None:
        """A session has come so far."""
        ...

    def turns_away(self, settings: ModelSettings | None, /) -> bool:
        """Whether each attempt with these settings would fail now without being made."""
        ...

    def did_without(self, paths: Iterable[str], purpose: Purpose, /) -> None:
        """A session was accepted without the settings at these paths, which the model had refused."""
        ...

    def left_out(self, purpose: Purpose, /) -> tuple[str, ...]:
        """The paths of what a session for this is not to ask for, because the model has refused it."""
        ...


class RetryHold:
    """Delays attempts for as long as the server has asked: those of the call that it has asked, which may have met the
    one node that is busy; and all, once REFUSED_CALLS calls were asked and no attempt has worked between them.

    now_s: monotonic.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._asked: dict[str, float] = {}  # until when, by call
        self._refused: set[str] = set()  # calls since an attempt has worked
        self._waiting = 0

    def named(self, wait_s: float, call: str) -> None:
        """The server refuses attempts for this long, as it told one call."""
        now_s = self._now_s()
        until_s = max(now_s + min(wait_s, HOLD_LIMIT_S), self._asked.get(call, now_s))
        self._asked = {each: due_s for each, due_s in self._asked.items() if due_s > now_s}
        self._refused &= self._asked.keys()
        if until_s <= now_s:
            return
        if len(self._refused) >= REFUSED_CALLS and until_s > self._until_s():
            self._waiting = 0
        self._asked[call] = until_s
        self._refused.add(call)

    def worked(self) -> None:
        """An attempt was not refused: no other call needs to wait."""
        self._refused.clear()
        self._waiting = 0

    def wait_s(self, call: str) -> float:
        """How long an attempt must wait, in s; 0 if it may be made now. Where all wait, they are made one by one."""
        now_s = self._now_s()
        own_s = self._asked.get(call, now_s) - now_s
        all_s = self._until_s() - now_s if len(self._refused) >= REFUSED_CALLS else 0.0
        if max(own_s, all_s) <= 0:
            return 0.0
        if all_s <= 0:
            return own_s
        self._waiting += 1
        return max(own_s, all_s) + min(self._waiting * HOLD_SPACING_S, HOLD_SPREAD_S)

    def _until_s(self) -> float:
        return max(self._asked[call] for call in self._refused)


class ClockCheck:
    """Compares the model's clock with ours, which says when a session ends. now: the wall clock, UTC."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._logged = False

    def compare(self, date: str) -> None:
        """Count a disagreement, and log the first. date: an HTTP Date header; "" or no date is passed over."""
        if (told := http_date(date)) is None:
            return
        ahead_s = (self._now() - told).total_seconds()
        if abs(ahead_s) <= CLOCK_LIMIT_S:
            return
        CLOCK_DISAGREEMENTS.inc()
        if not self._logged:
            self._logged = True
            logger.warning("our clock and the model's disagree: one of them is wrong", ours_ahead_s=round(ahead_s))


# Headers that websocket-client acts on, and must not: it would read the body of a refusal, however long that is; and
# show a cookie in the dials of all calls, which may name the one node that is broken.
_UNWANTED = re.compile(rb"^(content-length|set-cookie)[ \t]*:[^\n]*\n", re.IGNORECASE | re.MULTILINE)


class _Connected:
    """A socket that is read in large pieces while websocket-client reads the answer's head byte by byte.

    Each read of a socket releases the interpreter's lock, and then another thread has to be waited for.
    The head is read whole, within limits (`read_head`), before the library sees any of it.
    unread: what came after the head.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.unread = b""
        self._headed = False

    def recv(self, count: int) -> bytes:
        if not self._headed:
            self._headed, self.unread = True, self._head()
        whole = self.unread or self.socket.recv(READ_BYTES)
        self.unread = whole[count:]
        return whole[:count]

    def _head(self) -> bytes:
        """The head without what is unwanted, and what came with it. Raises: OSError."""
        head, more = read_head(self.socket, CONNECT_LIMIT_S)
        return _UNWANTED.sub(b"", head) + more

    def __getattr__(self, name: str) -> Any:
        return getattr(self.socket, name)


class _Connection(websocket.WebSocket):
    """websocket-client's connection, reading through _Connected."""

    reader: _Connected | None

    @property
    def sock(self) -> socket.socket | None:
        return cast("socket.socket | None", self.reader)

    @sock.setter
    def sock(self, connected: socket.socket | None) -> None:
        self.reader = None if connected is None else _Connected(connected)


def with_model(url: str, model: str) -> str:
    """The URL of another model, or of another deployment where that is what the URL names. model: "" for the URL's."""
    if not model:
        return url
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query["deployment" if "deployment" in query else "model"] = model
    return urlunsplit(parts._replace(query=urlencode(query)))


class _Probe:
    """Where a socket is told of that no call wants. failed: told why, on whichever thread it has failed."""

    def __init__(self, failed: Callable[[str], object]) -> None:
        self._failed = failed

    def tell(self, outcome: Dialled | DialFailed, /) -> None:
        if isinstance(outcome, Dialled):
            outcome.wire.abort()
        elif not outcome.final:  # of which the circuit knows
            self._failed(outcome.reason)


class Dialler:
    """Opens sockets to one URL with one set of credentials, for all calls of a process.

    There is a circuit breaker for each bot's settings, so that a bot with wrong ones stops no other; and for each
    format, so that a server that lacks one stops no calls in another. Where it is open because sockets are refused, one
    is opened from time to time, and closed again; where sessions are, one is asked for. So the process finds out by
    itself that the model is there, although a balancer sends it no call meanwhile.

    credentials: give the headers of each upgrade. loop: takes the sockets over. now: the wall clock, UTC.
    used: whether new calls may have these settings. ask: for a session for this that no call has; whether it has to
    answer, too.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], datetime],
        used: Callable[[ModelSettings | None], bool] = lambda _: True,
        ask: Callable[[Purpose, bool], object] = lambda _, __: None,
    ) -> None:
        self.url = url
        self._credentials = credentials
        self._loop = loop
        # A pool, because starting a thread blocks the loop until it runs.
        self._threads = ThreadPoolExecutor(MAX_DIALS, thread_name_prefix="dial")
        self._circuits: dict[str, dict[MediaFormat, Circuit]] = {}  # by the key of settings
        self._keys: dict[int, tuple[ModelSettings | None, str]] = {}  # by the identity of a version's settings
        self._used = used
        self._ask = ask
        self._to_probe: dict[tuple[str, MediaFormat], asyncio.TimerHandle] = {}  # the circuits that are looked at again
        self._shown_open = False  # what MODEL_CIRCUIT says
        MODEL_CIRCUIT.set(0)
        self._hold = RetryHold(loop.time)
        self._refused_settings = RefusedSettings(loop.time)
        self._now = now
        self._clock = ClockCheck(now)
        self._tls = ssl.create_default_context() if url.startswith("wss:") else None
        self._unforeseen: set[str] = set()  # kinds of errors that were logged

    def dial(self, caller: Address[Dialled | DialFailed], purpose: Purpose) -> None:
        """Open a socket; the caller is told Dialled, or DialFailed also where the circuit breaker is open."""
        circuit = self._circuit(purpose)
        if not circuit.lets_through():
            send(caller, DialFailed(0, circuit.reason, final=True))
        elif wait_s := self._hold.wait_s(purpose.call):
            MODEL_LIMITED.labels("held dial").inc()
            self._loop.call_later(wait_s, self._start, caller, purpose)
        else:
            self._start(caller, purpose)

    def _circuit(self, purpose: Purpose) -> Circuit:
        key = self._key(purpose.settings)
        if key not in self._circuits:
            if len(self._circuits) >= MAX_CIRCUITS:  # those of versions that are gone; an open one only costs a dial
                del self._circuits[next(iter(self._circuits))]
            self._circuits[key] = {}
        circuits = self._circuits[key]
        if purpose.media not in circuits:
            circuits[purpose.media] = Circuit(self._loop.time)
        return circuits[purpose.media]

    def _key(self, settings: ModelSettings | None) -> str:
        """The same for equal settings; kept, because each dial asks for it, and to make it takes half a millisecond."""
        known, key = self._keys.get(id(settings), (None, ""))
        if key == "" or known is not settings:
            key = repr(settings)
            if len(self._keys) >= MAX_CIRCUITS:
                self._keys.clear()
            self._keys[id(settings)] = settings, key
        return key

    def _start(self, caller: Address[Dialled | DialFailed], purpose: Purpose) -> None:
        try:
            self._threads.submit(self._open, caller, purpose)
        except (RuntimeError, MemoryError) as error:  # no memory or process limit is left for another thread
            logger.error("no thread to dial the model with", reason=str(error))
            send(caller, DialFailed(0, "no thread"))

    def refused(self, reason: str, purpose: Purpose, step: Milestone) -> None:
        own = self._circuit(purpose)
        for media, each in self._circuits[self._key(purpose.settings)].items():
            # Only a session is refused for its format: the socket was before it, and an answer comes after it.
            if each is own or step is not Milestone.SESSION:
                each.refused(reason, purpose.call, step)
                self._probe_later(replace(purpose, media=media))
        self._show_circuits()

    def worked(self, step: Milestone, purpose: Purpose) -> None:
        own = self._circuit(purpose)
        for each in self._circuits[self._key(purpose.settings)].values():
            if each is own or each.step is not Milestone.SESSION:
                each.worked(step)
        self._show_circuits()

    def turns_away(self, settings: ModelSettings | None) -> bool:
        circuits = self._circuits.get(self._key(settings))
        return circuits is not None and all(each.is_open for each in circuits.values())

    def did_without(self, paths: Iterable[str], purpose: Purpose) -> None:
        self._refused_settings.note(self._key(purpose.settings), paths)

    def left_out(self, purpose: Purpose) -> tuple[str, ...]:
        return self._refused_settings.of(self._key(purpose.settings))

    def _probe_later(self, purpose: Purpose) -> None:
        """While a circuit is open: make an attempt without a call when that is due."""
        if (circuit := self._circuit(purpose)).is_open:
            self._probe_in(circuit.probe_in_s, replace(purpose, call=""))

    def _probe_in(self, wait_s: float, purpose: Purpose) -> None:
        which = self._key(purpose.settings), purpose.media
        if (before := self._to_probe.get(which)) is not None:
            before.cancel()
        self._to_probe[which] = self._loop.call_later(wait_s, self._probe, which, purpose)

    def _probe(self, which: tuple[str, MediaFormat], purpose: Purpose) -> None:
        del self._to_probe[which]
        key, media = which
        circuit = self._circuits.get(key, {}).get(media)
        if circuit is None or not circuit.is_open:
            return
        if not self._used(purpose.settings):  # of a version that is gone nobody would find out that it works again
            del self._circuits[key]
            self._show_circuits()
            return
        if circuit.probe_in_s > 0:  # a call was first
            self._probe_later(purpose)
        elif circuit.step is not Milestone.UPGRADE:
            self._ask(purpose, circuit.step is Milestone.RESPONSE)  # it dials, as a call's does
            self._probe_in(PROBE_S, purpose)  # if nothing is heard of it
        elif circuit.lets_through():

            def failed(reason: str) -> None:
                self._loop.call_soon_threadsafe(self.refused, reason, purpose, Milestone.UPGRADE)

            self._start(_Probe(failed), purpose)

    def _show_circuits(self) -> None:
        circuits = chain.from_iterable(each.values() for each in self._circuits.values())
        if (is_open := any(each.is_open for each in circuits)) != self._shown_open:
            self._shown_open = is_open
            MODEL_CIRCUIT.set(is_open)

    def _open(self, caller: Address[Dialled | DialFailed], purpose: Purpose) -> None:
        try:
            opened = self._connect(purpose)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call waits for an answer
            kind = type(error).__name__
            if kind not in self._unforeseen:
                self._unforeseen.add(kind)
                logger.bind(conversation=purpose.call).opt(exception=True).error("a dial of the model's has failed")
            opened = DialFailed(0, kind)
        if isinstance(opened, DialFailed):
            send(caller, opened)
            return
        connected = opened.reader
        date = str((opened.headers or {}).get("date", ""))
        vars(opened).clear()  # breaks a reference cycle, which would wait for the cyclic GC
        self._loop.call_soon_threadsafe(self._take_over, connected, date, caller, purpose)

    def _connect(self, purpose: Purpose) -> _Connection | DialFailed:
        url = with_model(self.url, purpose.settings.name if purpose.settings else "")
        try:
            opened = websocket.create_connection(
                url,
                class_=_Connection,
                timeout=CONNECT_LIMIT_S,
                header=dict(self._credentials.headers()),
                # The Authorization header must not be sent to the target of a redirect.
                redirect_limit=0,
                suppress_origin=True,
                skip_utf8_validation=True,
                sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
                sslopt={} if self._tls is None else {"context": self._tls},
                socket=self._reached(url),
            )
        except websocket.WebSocketBadStatusException as error:
            return self._refusal(int(error.status_code), error.resp_headers or {}, purpose)
        except ProxyRefused as error:
            return DialFailed(0, str(error))
        except NoCredentials as error:
            return DialFailed(0, f"no credentials: {error}")
        except ssl.SSLCertVerificationError as error:  # expired, of another name or of nobody we trust
            return self._final(0, f"certificate: {error.verify_message}", purpose)
        except (OSError, websocket.WebSocketException, ValueError) as error:
            # A redirect is its own kind of error, for which websocket-client has no class.
            redirect = str(error).startswith("Redirect")
            return self._refusal(HTTPStatus.FOUND, {}, purpose) if redirect else DialFailed(0, type(error).__name__)
        return cast(_Connection, opened)

    def _reached(self, url: str) -> socket.socket:
        """A connection to the URL's host, by the environment's proxy if there is one, with TLS if it is meant to be.

        By ourselves, because websocket-client waits for an address that answers nothing, and tries no other then; and
        for as long as a proxy goes on with its answer. Raises: OSError.
        """
        host, port, _, secure = parse_url(url)
        proxy, proxy_port, user = get_proxy_info(host, secure)
        targets = addresses_of(proxy or host, (proxy_port or 80) if proxy else port, CONNECT_LIMIT_S)
        connected = connect_to_one(targets, CONNECT_LIMIT_S)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if proxy:
                tunnel(connected, host, port, user, CONNECT_LIMIT_S)
            connected.settimeout(CONNECT_LIMIT_S)
            return connected if self._tls is None else self._tls.wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise

    def _refusal(self, status: int, headers: Mapping[str, str], purpose: Purpose) -> DialFailed:
        reason = f"status {status} at the upgrade"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            self._credentials.refused()
        if status in FINAL_STATUSES:
            return self._final(status, reason, purpose)
        if status in BUSY_STATUSES:
            MODEL_LIMITED.labels("dial").inc()
            wait_s = retry_after_s(headers, self._now()) or 0.0
            if wait_s > HOLD_LIMIT_S:
                return self._final(status, reason, purpose, f", to be tried again in {wait_s:.0f} s")
            self._loop.call_soon_threadsafe(self._hold.named, wait_s, purpose.call)
        return DialFailed(status, reason)

    def _final(self, status: int, reason: str, purpose: Purpose, more: str = "") -> DialFailed:
        """more: differs from one refusal to the next, so that the circuit breaker must not see it."""
        self._loop.call_soon_threadsafe(self.refused, reason, purpose, Milestone.UPGRADE)
        return DialFailed(status, f"{reason}{more}", final=True)

    def _take_over(
        self, connected: _Connected | None, date: str, caller: Address[Dialled | DialFailed], purpose: Purpose
    ) -> None:
        assert connected is not None  # create_connection gives a connected one or raises
        self.worked(Milestone.UPGRADE, purpose)
        self._hold.worked()
        self._clock.compare(date)
        framing = ClientProtocol(parse_uri(self.url), state=OPEN, max_size=MAX_MESSAGE_BYTES)
        wire = SocketWire(
            connected.socket, framing, self._loop, KEEPALIVE, MODEL_TRAFFIC, connected.unread, purpose.call
        )
        try:
            caller.tell(Dialled(wire))
        except Exception:  # noqa: BLE001 - the actor that dialled has ended meanwhile
            logger.debug("socket opened for an actor that has ended")
            wire.abort()
