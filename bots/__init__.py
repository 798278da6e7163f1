"""The example bots that come along: data, and the default of TIELINE_BOTS."""
