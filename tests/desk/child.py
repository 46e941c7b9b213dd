"""A process that sends intents until it is killed: ``python -m tests.desk.child BASE_URL KEY SECRET SEED``."""

import sys

import kfut_analytics as kfut

from . import campaign

if __name__ == "__main__":
    base_url, key, secret, seed = sys.argv[1:]
    campaign.hurry(setattr)
    client = kfut.connect("paper", base_url=base_url, api_key=key, api_secret=secret, trading=True)
    print("ready", flush=True)
    campaign.trade(client, 10**6, int(seed), threads=3)
