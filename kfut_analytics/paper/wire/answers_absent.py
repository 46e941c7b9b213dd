"""Answers of what this exchange does not offer: those of the real one for a feature that is not there (api-facts 3).

=====================================  =================  =============================================================
operation                              answer             why
=====================================  =================  =============================================================
``rfqs``, ``rfqs/open-offers``         empty list         nobody asks for quotes here
``rfqs/{uid}`` and its offers          ``notFound``       so there is none to look at, or to make an offer on
``rfq-assignment/max-leverage``        ``Unavailable``    nobody has published its shape
``assignmentprogram/current``          empty list         an account is in no programme until it joins one
``assignmentprogram/history``          empty list         nor has it been in one
``assignmentprogram/add``              ``Unavailable``    positions of others are not assigned to it here
``assignmentprogram/delete``           ``notFound``       it takes part in nothing
``portfolio-margining/parameters``     ``Unavailable``    the real one has it before production only
``portfolio-margining/simulate``       ``Unavailable``    likewise
``withdrawal``                         ``Unavailable``    there is no spot wallet, even for a key that may withdraw
``transfers``                          empty list         undocumented; about coins that come or go by address
``rebates/self-market-share``          204, no content    there are no rebates: "not aggregated yet"
``analytics/liquidity-pool``           404                there is no pool
``contractType=options``               empty list         there are no options (`answers_market`)
``/api/history/v1``, ``/v4``           302                versions 2 and 3 are served; where the real one leads to is
                                                          not recorded, and here there is nothing
=====================================  =================  =============================================================

All of it is asked for like the rest: what needs a key or a permission is refused without.
"""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from kfut_analytics.paper.wire.call import Call, Json, NotFoundError, RefusedError


def rfqs(call: Call) -> Json:
    """GET /rfqs."""
    return {"rfqs": []}


def open_offers(call: Call) -> Json:
    """GET /rfqs/open-offers."""
    return {"openOffers": []}


def participants(call: Call) -> Json:
    """GET /assignmentprogram/current and /history."""
    return {"participants": []}


def no_participant(call: Call) -> Json:
    """POST /assignmentprogram/delete."""
    call.params.require("id")
    call.params.number("id")
    raise RefusedError("notFound")


def transfers(call: Call) -> Json:
    """GET /transfers."""
    return {"transfers": []}


def not_found(call: Call) -> Json:
    """What names a request for quotes."""
    raise RefusedError("notFound")


def unavailable(call: Call) -> Json:
    """What is switched off."""
    raise RefusedError("Unavailable")


def market_share(call: Call) -> Response:
    """GET /rebates/self-market-share."""
    return Response(status_code=204)


def liquidity_pool(call: Call) -> Response:
    """GET /analytics/liquidity-pool."""
    raise NotFoundError


def other_version(call: Call) -> Response:
    """A version of the history that is not served."""
    return RedirectResponse("/", status_code=302)
