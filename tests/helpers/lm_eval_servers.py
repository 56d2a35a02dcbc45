"""Judges behind real HTTP servers, asked by lm-eval's own API backends."""

from tests.helpers.scripted_judge import picks_the_apple, run_task


def through_chat(server, pairs, model_args=None, **settings):
    """What lm-eval reports of a judge behind a server's chats, and the logged samples."""
    args = {"model": "tiny", "base_url": f"{server.base_url}/chat/completions", "max_retries": 1}
    return run_task(
        "local-chat-completions",
        pairs,
        lm_eval_settings={"model_args": args | (model_args or {})},
        **settings,
    )


def through_completions(server, tokenizer, pairs, model_args=None, **settings):
    """The same behind a server's completions, which gets tokens."""
    args = {
        "model": "tiny",
        "base_url": f"{server.base_url}/completions",
        "max_retries": 1,
        "tokenizer_backend": "huggingface",
        "tokenizer": str(tokenizer),
    }
    return run_task(
        "local-completions",
        pairs,
        lm_eval_settings={"model_args": args | (model_args or {})},
        **settings,
    )


def completing(folder, judge=picks_the_apple):
    """A server's completions by `judge` (prompt → letter): replies, and likelihoods of an echo."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)

    def echo(index, prompt):
        *context, last = prompt
        right = tokenizer.decode([last]) == judge(tokenizer.decode(context))
        scores = [0.0] * len(context) + [-1.0 if right else -2.0, 0.0]
        logprobs = {"token_logprobs": scores, "top_logprobs": [{"": 0.0}] * len(scores)}
        return {"index": index, "text": "", "logprobs": logprobs}

    def complete(body):
        texts = map(tokenizer.decode, body["prompt"])
        if body.get("echo"):
            return [echo(i, prompt) for i, prompt in enumerate(body["prompt"])]
        return [{"index": i, "text": f"[[{judge(t)}]]"} for i, t in enumerate(texts)][::-1]

    return complete


def with_template(folder, tmp_path, template, special=()):
    """A copy of a tokenizer with another chat template, or none, and more special tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    if template is None:
        (tmp_path / "tokenizer" / "chat_template.jinja").unlink(missing_ok=True)
    return tmp_path / "tokenizer"


def saying(folder, said):
    """A server's completions by `said` (prompt → what it says, and why it ended)."""
    from transformers import AutoTokenizer

    decode = AutoTokenizer.from_pretrained(folder).decode

    def complete(body):
        replies = [said(decode(prompt)) for prompt in body["prompt"]]
        return [
            {"index": i, "text": text, "finish_reason": reason}
            for i, (text, reason) in enumerate(replies)
        ]

    return complete


def judging(letters=picks_the_apple):
    """A chat server's judge."""
    return lambda body, _: f"[[{letters(body['messages'][-1]['content'])}]]"
