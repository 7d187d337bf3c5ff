"""The cost and timing model of circuits."""
