"""A Falcon of a few hundred thousand weights, drawn at random, and a tokenizer trained on the data.

It stands in for a real model where there is no GPU and nothing can be downloaded: same class, same code path.
"""

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import FalconConfig, FalconForCausalLM, PreTrainedTokenizerFast

END = "<|endoftext|>"
VOCABULARY = 1024
SEED = 0  # fixed: the training's own seed does not change the base model


def tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE as Falcon's, so that any text can be encoded."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=END, eos_token=END, pad_token=END)


def model(vocabulary: int, end: int) -> FalconForCausalLM:
    """The same weights for the same size of the vocabulary."""
    config = FalconConfig(
        vocab_size=vocabulary,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        # Wider than Falcon's 0.02: the frozen embeddings are also the output layer, and an adapter can only
        # become sure of a word where their products are large.
        initializer_range=0.1,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        drawn = FalconForCausalLM(config)
    drawn.name_or_path = None  # PEFT asks the hub about any name
    return drawn
