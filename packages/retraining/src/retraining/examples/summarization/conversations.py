"""Templates of simulated messenger dialogues between two people, each with its summary."""

import random
from dataclasses import dataclass

NAMES = (
    "Ada", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kate", "Leo",
    "Mia", "Noah", "Olga", "Paul", "Ruth", "Sam", "Tina", "Victor",
)  # fmt: skip
OPENINGS = ("Hi {b}!", "Hey {b}", "Hello {b}, how are you?", "{b}, are you there?", "Good morning {b}!")
REPLIES = ("Hi {a}!", "Hey, what's up?", "Fine, thanks. And you?", "Yes, tell me.", "Hello {a} :)")
CLOSINGS = (
    ("Great, see you!", "See you!"),
    ("Thanks a lot!", "No problem."),
    ("Perfect.", "Bye!"),
    ("You are the best!", ":)"),
)
WORDS = {
    "place": ("the cinema", "the station", "the library", "the park", "the gym", "the old market"),
    "day": ("today", "tomorrow", "on Friday", "on Saturday", "on Sunday", "next week"),
    "hour": ("at 3 pm", "at 5 pm", "at 6 pm", "at 7 pm", "at 8 pm", "at noon"),
    "thing": ("a cake", "the tickets", "some cookies", "the charger", "the blue book", "a bottle of wine"),
    "trouble": ("a cold", "a broken car", "too much work", "an exam", "a headache", "visitors"),
    "job": ("move the sofa", "paint the kitchen", "fix the bike", "write the report", "feed the cat"),
}


@dataclass(frozen=True)
class Topic:
    """What the two talk about: lines, spoken by `a` and `b` in turn, and their summary."""

    lines: tuple[str, ...]
    summary: str


TOPICS = (
    Topic(
        ("Shall we meet {day}?", "Sure, where?", "How about {place}, {hour}?", "Works for me."),
        "{a} and {b} will meet at {place} {day} {hour}.",
    ),
    Topic(
        ("I went shopping and thought of you.", "Why?", "I got {thing}. Shall I bring it {day}?", "Please!"),
        "{a} will bring {b} {thing} {day}.",
    ),
    Topic(
        ("I can't come {day}, sorry.", "What happened?", "I have {trouble}.", "Oh no, another time then."),
        "{a} can't meet {b} {day} because of {trouble}.",
    ),
    Topic(
        ("Could you help me {job}?", "When?", "{day} {hour}, if you can.", "OK, I'll be there."),
        "{b} will help {a} {job} {day} {hour}.",
    ),
    Topic(
        ("Did you leave {thing} here?", "I think so! Can I pick it up {day}?", "Come {hour}.", "I will."),
        "{b} left {thing} at {a}'s place and will pick it up {day} {hour}.",
    ),
)


def draw(rng: random.Random) -> tuple[str, str]:
    """A dialogue, one `Name: text` line per turn joined by CR LF as in SAMSum, and its summary."""
    a, b = rng.sample(NAMES, 2)
    words = {kind: rng.choice(choices) for kind, choices in WORDS.items()} | {"a": a, "b": b}
    topic = rng.choice(TOPICS)
    lines = [rng.choice(OPENINGS), rng.choice(REPLIES), *topic.lines, *rng.choice(CLOSINGS)]
    spoken = [line.format(**words) for line in lines]
    turns = [f"{name}: {text[0].upper()}{text[1:]}" for name, text in zip([a, b] * 4, spoken, strict=True)]
    return "\r\n".join(turns), topic.summary.format(**words)
