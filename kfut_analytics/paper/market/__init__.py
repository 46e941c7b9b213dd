"""Where prices come from: what the engine asks of a market, one that is drawn and one that follows another exchange."""
