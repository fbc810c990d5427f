"""Write the folder of a random, untrained model, with a tokenizer of single bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..weights.folders import INDEX, OWN_FILE

WORDS = 256
"""Its ids, the special ones included."""


def tokenizer() -> Any:
    """Return a tokenizer of single bytes, with the special tokens of T5."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())[: WORDS - 3]
    vocabulary = {token: i for i, token in enumerate(["<pad>", "</s>", "<unk>", *letters])}
    made = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def save(folder: Path, components: Mapping[str, Any], index: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Write components, the tokenizer and what describes them.

    Args:
        folder: Is there, and empty.
        components: By their names.
        index: Of `model_index.json`.
        own: Keys of its preset, beside those of every random model.
    """
    for name, component in {**components, "tokenizer": tokenizer()}.items():
        component.save_pretrained(folder / name)
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    known = {"label": "random test model", "demo": True}
    (folder / OWN_FILE).write_text(json.dumps({**known, **own}, indent=2), encoding="utf-8")
