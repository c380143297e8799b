"""The stages of a trial: each reads stored inputs and writes one artifact."""
