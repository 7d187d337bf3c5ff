# SPDX-License-Identifier: Apache-2.0
"""The user's data: arrays, images and tables as samples of a model, and how raw values become its input."""
