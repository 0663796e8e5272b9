"""Settlement's contracts on Starknet: their artefacts, and a client over JSON-RPC."""
