"""The families of questions. Each is a function (index, rng) -> Question or None when the scene has no room for it.

Two rules keep the words from giving the answer away. For a yes or no, what a "yes" and what a "no" would ask about is
found first, and only then a coin decides; so no form is more often possible with one answer. And nothing is asked
whose answer the arrangement fixes: what is inside a frame is always small, so its size is never asked for.
"""
