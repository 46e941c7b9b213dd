"""A kernel that is killed: ``python -m tests.guards.child BASE_URL KEY SECRET``."""

import sys
import time

import kfut_analytics as kfut

if __name__ == "__main__":
    base_url, key, secret = sys.argv[1:]
    client = kfut.connect("paper", base_url=base_url, api_key=key, api_secret=secret, trading=True)
    client.place(kfut.Order("PF_XBTUSD", "buy", "0.1", limit_price=79_000))
    client.bracket(kfut.Order("PF_XBTUSD", "buy", "0.5"), take_profit=82_000, stop=78_000)
    client.dead_man_switch(timeout=60).arm()
    print("ready", flush=True)
    time.sleep(600)
