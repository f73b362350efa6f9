"""What a case is given: fresh accounts, sessions that are ended for it, and a server's coordinates."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar

from slixmpp.exceptions import IqError

from .coordinates import Account, Coordinates
from .session import Session

S = TypeVar("S", bound=Session)


class Accounts:
    """Hands out each account once, so that no case sees what another left behind."""

    def __init__(self, accounts: list[Account]) -> None:
        self._left = list(accounts)

    def take(self) -> Account:
        if not self._left:
            raise RuntimeError("more cases than accounts: raise `# needs-accounts` in the partner's header")
        return self._left.pop(0)


class Stage:
    """An async context manager that lasts for one case."""

    def __init__(self, server: Coordinates, accounts: Accounts, open_server: Coordinates | None = None) -> None:
        self.server = server
        self._accounts = accounts
        self._open_server = open_server
        self._sessions: list[Session] = []
        self._closing: list[Any] = []

    @property
    def open_server(self) -> Coordinates:
        """A second server, where everybody may register an account."""
        if self._open_server is None:
            raise RuntimeError("no second server: say `# needs-server: closed open` in the partner's header")
        return self._open_server

    def account(self) -> Account:
        """An account that nobody has used yet."""
        return self._accounts.take()

    def missing_account(self) -> Account:
        """An address of this server that has no account."""
        return Account(f"nobody@{self.server.domain}", "no password")

    def client(self, account: Account, **how: Any) -> Session:
        """A session that has not connected yet; see Session for the arguments."""
        return self.client_of(Session, account, **how)

    def client_of(self, kind: type[S], account: Account, **how: Any) -> S:
        """The same, of a kind that a case makes of Session."""
        session = kind(how.pop("server", self.server), account, **how)
        self._sessions.append(session)
        session.register_plugin("xep_0199")
        return session

    async def session(self, account: Account, **how: Any) -> Session:
        """A session that has bound a resource, and sent nothing since."""
        session = self.client(account, **how)
        await session.log_in()
        return session

    async def online(self, account: Account, *, priority: int = 0, **how: Any) -> Session:
        """A session with roster and presence, as a person's client."""
        session = await self.session(account, **how)
        await session.go_online(priority)
        return session

    async def refusal(self, iq: Any) -> str:
        """Send a request; the condition of the error that answers it, or `result`."""
        try:
            await iq.send(timeout=None)
        except IqError as error:
            return error.condition
        return "result"

    def close_later(self, closer: Any) -> Any:
        """Something with `close()`, called when the case ends."""
        self._closing.append(closer)
        return closer

    def describe(self) -> str:
        """What all sessions and programs wait for, for a case that ran out of time."""
        all_of_them = [*self._sessions, *(c for c in self._closing if hasattr(c, "describe"))]
        return " | ".join(one.describe() for one in all_of_them) or "no session"

    async def __aenter__(self) -> Stage:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with AsyncExitStack() as last:
            # In the reverse order, all of them, whatever happens to some.
            for closer in self._closing:
                last.callback(closer.close)
            for session in self._sessions:
                last.push_async_callback(session.close)
