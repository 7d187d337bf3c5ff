"""Options of a `fit` that takes seconds."""

QUICK = {
    "device": "xczu3eg",
    "weight_candidates": (2, 4, 8),
    "activation_candidates": (4, 8),
    "points": 2,
    "finalists": 2,
    "slower": 1,
    "samples": 16,
    "jobs": 1,
}
