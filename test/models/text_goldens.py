"""Golden results of tokenizing and embedding: Hugging Face's tokenizers for Python, and PyTorch.

    pip install torch==2.14.1 tokenizers==0.23.3
    python test/models/text_goldens.py test/fixtures/text

Writes three tokenizers trained on the sentences themselves (WordPiece as BERT has it, byte-level BPE as GPT-2, Unigram as
XLM-R), 2,000 sentences in ten groups, the SHA-256 of their ids per tokenizer and group, three tiny models with random
weights, and what the Python pipeline answers with them. Training is not the same twice, so a second run makes another set
of files that belong together.
"""

import gzip
import hashlib
import json
import pathlib
import random
import sys

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

WORDS = """time person year way day thing man world life hand part child eye woman place work week case point
government company number group problem fact be have do say get make go know take see come think look want give use find
tell ask seem feel try leave call good new first last long great little own other old right big high different small large
next early young important few public bad same able to of in for on with at by from up about into over after beneath under
unbelievable internationalization don't it's we're o'clock e-mail well-known naïve café Zürich Ærøskøbing jalapeño""".split()
SCRIPTS = [
    "Привет мир как дела сегодня хорошая погода ёжик Украïна",
    "Καλημέρα κόσμε τι κάνεις σήμερα Ἀθῆναι ΣΊΣΥΦΟΣ",
    "مرحبا بالعالم كيف حالك اليوم اللُّغَة العَرَبِيَّة",
    "שלום עולם מה שלומך היום עִבְרִית",
    "नमस्ते दुनिया आप कैसे हैं क्षत्रिय",
    "สวัสดีชาวโลก วันนี้เป็นอย่างไรบ้าง",
    "你好世界今天天气怎么样 漢字與簡體字 𠜎𠜱𠝹",
    "こんにちは世界 カタカナ ひらがな ﾊﾝｶｸ",
    "안녕하세요 세계 오늘 날씨가 어때요 한국어",
    "İstanbul Iğdır ışık ŞĞÜÖÇ dotless",
    "Việt Nam đẹp lắm Hà Nội thủ đô",
    "ქართული ენა მსოფლიო հայերեն լեզու አማርኛ ቋንቋ",
]
EMOJI = "😀 😂 🤣 ❤️ 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵 1️⃣ ☎️ 🧑🏿‍🚀 🫠 ✨ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ™ ©".split()
CONTROLS = ["\x00", "\x01", "\x07", "\x0b", "\x1b[31m", "\x7f", "\x85", "\u00a0", "\u00ad", "\u200b", "\u200d", "\u200e",
            "\u202e", "\u2028", "\u2029", "\u2060", "\u3000", "\ufeff", "\ufffd", "\ufffe", "\t", "\n", "\r\n", "\U000e0001"]
SPECIAL = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "<s>", "</s>", "<pad>", "<unk>", "<|endoftext|>", "##ing", "▁the"]
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»„“”’…–—·•€£¥§¶†‡°±×÷½¼²³"
PER_GROUP = 200


def sentences():
    rng = random.Random(20261126)
    words = lambda least, most: " ".join(rng.choice(WORDS) for _ in range(rng.randint(least, most)))
    some = lambda things, least, most: [rng.choice(things) for _ in range(rng.randint(least, most))]
    point = lambda: chr(rng.choice([n for n in [rng.randrange(0x20, 0x30000)] if not 0xD800 <= n < 0xE000] or [0x41]))
    makers = {
        "prose": lambda: words(3, 30).capitalize() + rng.choice(".!?"),
        "case and accents": lambda: "".join(rng.choice([c.upper(), c.lower()]) for c in words(3, 20))
        + " " + rng.choice(["É", "E\u0301", "ﬁne", "ſtraße", "ẞ", "Ǆ", "Å", "A\u030a"]),
        "scripts": lambda: " ".join(rng.choice(rng.choice(SCRIPTS).split()) for _ in range(rng.randint(2, 15))),
        "emoji": lambda: rng.choice(["", " "]).join(some(EMOJI + WORDS[:20], 1, 15)),
        "long words": lambda: "".join(some(WORDS, 20, 90)) + rng.choice(["", "a" * rng.randint(90, 400)]),
        "controls": lambda: "".join(some(CONTROLS + WORDS[:30] + [" "], 2, 25)),
        "digits and punctuation": lambda: "".join(some(list(PUNCTUATION) + [str(rng.randrange(10**6)), " ", "1,234.5"], 2, 40)),
        "code and addresses": lambda: rng.choice([
            f"https://example.com/{words(1, 3).replace(' ', '/')}?q={rng.randrange(10**9)}#%C3%A9",
            f"def {rng.choice(WORDS)}(x):\n    return x[{rng.randrange(99)}] != None\t# {words(1, 4)}",
            f"<p class=\"{rng.choice(WORDS)}\">{words(2, 6)}</p>",
            f"{rng.choice(WORDS)}@{rng.choice(WORDS)}.example",
        ]),
        "any code points": lambda: "".join(point() for _ in range(rng.randint(1, 40))),
        "special tokens and edges": lambda: rng.choice([
            rng.choice(["", " "]).join(some(SPECIAL + WORDS[:10], 1, 10)),
            rng.choice(["", " ", "   ", "\n\n", "\u3000"]) + words(0, 2) + rng.choice(["", " ", "\t"]),
            "e" + "\u0301\u0323\u0489" * rng.randint(1, 20),
        ]),
    }
    return {name: [make() for _ in range(PER_GROUP)] for name, make in makers.items()}


def wordpiece(texts):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=900, limit_alphabet=400, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_truncation(64)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]", length=64)
    return tokenizer


def bytelevel(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def unigram(texts):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(texts, trainers.UnigramTrainer(vocab_size=900, special_tokens=special, unk_token="<unk>"))
    ids = [(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ids)
    return tokenizer


class Encoder(nn.Module):
    """A transformer of one layer that answers with the tokens' vectors."""

    def __init__(self, vocabulary, width=16):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(64, width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.inner, self.outer = nn.Linear(width, 32), nn.Linear(32, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.words(input_ids) + self.places(torch.arange(input_ids.size(1), device=input_ids.device))
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 4.0
        scores = scores + (1.0 - attention_mask.to(x.dtype)).unsqueeze(1) * -1e9
        x = self.norm(x + torch.softmax(scores, -1) @ self.value(x))
        return self.norm(x + self.outer(torch.nn.functional.gelu(self.inner(x))))


class Head(nn.Module):
    """Scores from the first token's vector, or from each token's."""

    def __init__(self, encoder, classes, first):
        super().__init__()
        self.encoder, self.scores, self.first = encoder, nn.Linear(16, classes), first

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.scores(self.encoder(input_ids, attention_mask))
        return x[:, 0] if self.first else x


def answers(tokenizer, parts, texts):
    encoder, classifier, tagger = parts
    tokenizer.no_padding()
    rows = []
    for text in texts:
        encoding = tokenizer.encode(text)
        ids = torch.tensor([encoding.ids])
        mask = torch.ones_like(ids)
        with torch.no_grad():
            vector = torch.nn.functional.normalize(encoder(ids, mask)[0].double().mean(0), dim=0)
            classes = torch.softmax(classifier(ids, mask)[0], -1)
            tags = torch.softmax(tagger(ids, mask)[0], -1)
        best = tags.max(-1)
        rows.append({
            "text": text,
            "embedding": vector.tolist(),
            "classes": classes.tolist(),
            "tokens": [
                {"entity": int(best.indices[i]), "score": float(best.values[i]), "index": i, "word": encoding.tokens[i],
                 "start": encoding.offsets[i][0], "end": encoding.offsets[i][1]}
                for i in range(len(encoding.ids)) if not encoding.special_tokens_mask[i]
            ],
        })
    return rows


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    groups = sentences()
    texts = [text for group in groups.values() for text in group]
    packed = json.dumps(groups, ensure_ascii=True, separators=(",", ":")).encode()
    (folder / "sentences.json.gz").write_bytes(gzip.compress(packed, 9, mtime=0))
    goldens = {}
    for make in (wordpiece, bytelevel, unigram):
        # Unigram takes no more characters than tokens; what it does not know is a case of its own in the others.
        learned = groups["prose"] + groups["scripts"] if make is unigram else texts
        tokenizer = make(learned)
        tokenizer.save(str(folder / f"{make.__name__}.json"), pretty=False)
        plain = Tokenizer.from_file(str(folder / f"{make.__name__}.json"))
        plain.no_padding()
        plain.no_truncation()
        ids = {name: [plain.encode(text).ids for text in group] for name, group in groups.items()}
        digest = lambda rows: hashlib.sha256("\n".join(",".join(map(str, row)) for row in rows).encode()).hexdigest()
        goldens[make.__name__] = {
            "digests": {name: digest(rows) for name, rows in ids.items()},
            "sample": [{"text": texts[at], "ids": plain.encode(texts[at]).ids} for at in (0, 450, 620)],
        }
    (folder / "ids.json").write_text(json.dumps(goldens, ensure_ascii=False, indent=1) + "\n")
    tokenizer = Tokenizer.from_file(str(folder / "wordpiece.json"))
    torch.manual_seed(7)
    encoder = Encoder(tokenizer.get_vocab_size()).eval()
    parts = (encoder, Head(encoder, 3, True).eval(), Head(encoder, 4, False).eval())
    for name, part in zip(("encoder", "classifier", "tagger"), parts):
        torch.jit.script(part).save(str(folder / f"{name}.pt"))
    chosen = [groups[name][at] for name, at in (("prose", 0), ("prose", 3), ("scripts", 1), ("emoji", 2), ("controls", 5))]
    expected = answers(tokenizer, parts, chosen)
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


main()
