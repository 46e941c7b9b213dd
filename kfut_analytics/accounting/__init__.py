"""What `kfut_analytics.pnl` stands on: the account log as columns, positions and lots, round trips, proofs."""
