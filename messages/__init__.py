"""Every sentence for people, in English and Russian. A sentence is made from a template and values at its last moment.

`msg("{name} is larger than {mb} MB", name=…, mb=…)` makes a `Message`: the English template is its id, so that any
other language is found by an exact lookup. Nothing is ever read back out of a finished sentence.
"""

from . import codes
from .message import Message, as_message, joined, msg, template
from .texts import LANGUAGES

__all__ = ["LANGUAGES", "Message", "as_message", "codes", "joined", "msg", "template"]
