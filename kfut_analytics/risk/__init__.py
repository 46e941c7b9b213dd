"""What `kfut_analytics.margin` stands on: an account as numbers, liquidation, stress, exposure, history."""
