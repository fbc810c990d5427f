"""Translate every sentence for users into English and Russian, from a template and values, when it is shown.

`msg("{name} is larger than {mb} MB", name=…, mb=…)` makes a `Message`. The English template is its id, so that a
translation is found by an exact lookup. Finished sentences are never parsed.
"""

from . import codes
from .message import Message, as_message, harmless, joined, msg, template
from .texts import LANGUAGES

__all__ = ["LANGUAGES", "Message", "as_message", "codes", "harmless", "joined", "msg", "template"]
