"""Questions about the past of a market, passed on to the exchange that the market follows.

Its answers are passed back as they are, so that frames of the past are the real ones. What a client sends along with
its question, such as a signature, stays here.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from http import HTTPStatus
from threading import Lock
from urllib.parse import unquote

from starlette.responses import Response

from kfut_analytics.errors import VenueError
from kfut_analytics.paper.market.live_source import Answer, Source
from kfut_analytics.paper.wire.refusals import bare_refusal

logger = logging.getLogger("kfut_analytics.paper")

KEPT_SECONDS = 2.0
"""So long an answer serves those who ask the same again."""
KEPT_ANSWERS = 64
_PASSED_ON = ("content-type", "is-truncated", "next-continuation-token", "rate-limit-reset")


class Relay:
    """Asks the exchange of a source; any thread may call."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._answers: OrderedDict[tuple[str, str], tuple[float, Answer]] = OrderedDict()
        self._lock = Lock()

    def answer(self, path: str, query: str, now: float) -> Response:
        """The other exchange's answer, or that there is none to be had.

        Parameters
        ----------
        path, query
            As they came, still encoded.
        now
            The time here, for a refusal.
        """
        # Those would lead to other paths than the ones that are passed on.
        if {"..", "."} & set(unquote(path).split("/")):
            return bare_refusal(path, HTTPStatus.NOT_FOUND, now)
        try:
            answer = self._asked(path, query)
        except VenueError as error:
            logger.info("%s", error)
            return bare_refusal(path, HTTPStatus.SERVICE_UNAVAILABLE, now, str(error))
        headers = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        return Response(answer.body, answer.status, headers)

    def _asked(self, path: str, query: str) -> Answer:
        key, now = (path, query), time.monotonic()
        with self._lock:
            when, answer = self._answers.get(key, (-KEPT_SECONDS, None))
            if answer is not None and now - when < KEPT_SECONDS:
                return answer
        answer = self._source.get(path, query)
        if answer.status == HTTPStatus.OK:
            with self._lock:
                self._answers[key] = (time.monotonic(), answer)
                self._answers.move_to_end(key)
                while len(self._answers) > KEPT_ANSWERS:
                    self._answers.popitem(last=False)
        return answer
