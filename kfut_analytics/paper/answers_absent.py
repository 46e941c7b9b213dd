"""Answers of what this exchange does not offer: those of the real one for a feature that is not there (api-facts 3).

================================================  ==================  ================================================
operation                                         answer              why
================================================  ==================  ================================================
``rfqs``, ``rfqs/open-offers``                    empty list          nobody asks for quotes here
``rfqs/{uid}`` and its offers                     ``notFound``        so there is none to look at or to make offers on
``rfq-assignment/max-leverage``                   ``Unavailable``     nobody has published its shape
``assignmentprogram/current``, ``…/history``      empty list          an account is in no programme until it joins one
``assignmentprogram/add``                         ``Unavailable``     positions of others are not assigned here
``assignmentprogram/delete``                      ``notFound``        nobody takes part
``portfolio-margining/parameters``, ``…/simulate``  ``Unavailable``   the exchange has it before production only
``withdrawal``                                    ``Unavailable``     there is no spot wallet, whatever the key may do
``transfers``                                     empty list          coins do not come or go by address here; it is
                                                                      undocumented, and empty for accounts of the
                                                                      common login
``rebates/self-market-share``                     204, nothing        no rebates: "not aggregated yet"
``analytics/liquidity-pool``                      404                 there is no pool
``instruments?contractType=options`` and the like  empty list         there are no options (`answers_market`)
``/api/history/v1`` and ``v4``                    302                 versions 2 and 3 are served; where the real one
                                                                      leads to is not recorded, and not followed
================================================  ==================  ================================================
"""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from kfut_analytics.paper.call import Call, Json, NotFoundError, RefusedError


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
