"""Nearest words: second implementations, and words that are found again."""

import pytest
import torch

from maple_lite import CoOp, DeepLanguage
from maple_lite.analysis.words import known_words, nearest_words, single_tokens, vocabulary
from maple_lite.pretraining.captions import caption_words
from maple_lite.tokens import word_ids


@pytest.mark.parametrize("measure", ["euclidean", "cosine"])
def test_words_are_their_own_nearest_at_distance_zero(clip, measure):
    prompts = CoOp(clip, init="a photo of a").text_prompts()
    found = nearest_words(clip, prompts, k=1, measure=measure)
    assert found.word.tolist() == ["a", "photo", "of", "a"]
    assert found.distance.abs().max() < 1e-6  # cosine: the rounding of a unit norm


@pytest.mark.parametrize("measure", ["euclidean", "cosine"])
def test_distances_and_ranks_are_those_of_a_plain_search(clip, measure):
    words, prompt = ["cat", "dog", "king", "rook"], torch.randn(2, 48, generator=torch.Generator().manual_seed(0))
    found = nearest_words(clip, [prompt], k=3, words=words, measure=measure)
    for token in range(2):
        distances = {}
        for word in words:
            row = clip.text.token_embedding.weight[word_ids(word)[0]]
            cosine = 1 - torch.cosine_similarity(prompt[token], row, dim=0)
            distances[word] = ((prompt[token] - row).pow(2).sum().sqrt() if measure == "euclidean" else cosine).item()
        mine = found[found.token == 1 + token]
        assert mine.word.tolist() == sorted(distances, key=distances.get)[:3]
        assert mine.distance.tolist() == pytest.approx([distances[word] for word in mine.word], abs=1e-5)
        assert mine["rank"].tolist() == [1, 2, 3]


def test_cosine_looks_at_directions_and_euclid_at_lengths_too(clip):
    long = 50 * clip.text.token_embedding.weight[word_ids("king")]
    assert nearest_words(clip, [long], k=1, measure="cosine").distance[0] < 1e-6
    assert nearest_words(clip, [long], k=1).distance[0] > 1


def test_every_layer_has_its_rows(clip):
    found = nearest_words(clip, DeepLanguage(clip, n_ctx=2, depth=3).text_prompts(), k=4)
    assert found.groupby(["layer", "token"]).size().to_dict() == {
        (layer, token): 4 for layer in (1, 2, 3) for token in (1, 2)
    }
    assert set(found.word) <= set(known_words(clip))


def test_words_of_several_tokens_are_left_out_and_others_are_the_tokenizers():
    found = single_tokens([*caption_words(), "Photo", "sagittarius"])
    assert "sagittarius" not in found
    assert "Photo" not in found
    for word, token in found.items():
        assert word_ids(word) == [token]
    assert all(len(word_ids(word)) > 1 for word in caption_words() if word not in found)


def test_the_vocabulary_holds_words_and_no_marks():
    words = vocabulary()
    assert 25_000 < len(words) < 49_408
    assert len(set(words)) == len(words)
    assert {"photo", "snowman", "a"} <= set(words)
    assert all(len(word_ids(word)) == 1 for word in words[::200])


def test_refusals_say_what_to_do(clip):
    prompts = CoOp(clip, init="a photo").text_prompts()
    with pytest.raises(ValueError, match="k must be 1 to 1, the words that are single tokens, got 2"):
        nearest_words(clip, prompts, k=2, words=["cat", "sagittarius"])
    with pytest.raises(ValueError, match="unknown measure 'euclid': did you mean 'euclidean'"):
        nearest_words(clip, prompts, measure="euclid")
    with pytest.raises(ValueError, match=r"the prompt of layer 1 must have shape \[n, 48\], got \[3, 4, 48\]"):
        nearest_words(clip, CoOp(clip, n_ctx=4, n_classes=3).text_prompts())
