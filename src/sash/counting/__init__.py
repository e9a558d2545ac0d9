"""Counting tokens offline: an estimate with a bound, corrected by what usage says, and the ledger of exact counts.

`Estimator` turns text, messages and the preamble into a `Count`; `Correction` is what was learned for one
model; `ledger` holds the arithmetic of exact totals. All of it is pure: nothing here calls the API, stores
anything, or downloads a vocabulary.
"""
