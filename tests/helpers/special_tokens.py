"""Special tokens of real model families, as their published tokenizers list them."""

_TOKENS_BY_FAMILY = {
    "chatml: Qwen, SmolLM, Yi, InternLM": """
        <|im_start|> <|im_end|> <|endoftext|> <|im_sep|> <|object_ref_start|> <|vision_pad|>
        <tool_call> </tool_call> <tool_response> <|fim_prefix|> <|repo_name|> <think>
        </think> <|action_start|> <|plugin|> [UNUSED_TOKEN_146] <eoh> <eoa>
    """,
    "SmolLM2's code tokens": """
        <repo_name> <reponame> <file_sep> <filename> <gh_stars> <issue_start>
        <issue_comment> <issue_closed> <jupyter_start> <jupyter_text> <jupyter_code>
        <jupyter_output> <jupyter_script> <empty_output>
    """,
    "StarCoder": """
        <fim_prefix> <fim_middle> <fim_suffix> <fim_pad> <commit_before> <commit_msg>
        <commit_after>
    """,
    "Llama 3 and 4": """
        <|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>
        <|eom_id|> <|python_tag|> <|finetune_right_pad_id|> <|reserved_special_token_247|>
        <|eot|> <|header_start|> <|header_end|> <|image|>
    """,
    "Llama 2, Mistral": """
        <s> </s> <unk> [INST] [/INST] <<SYS>> <</SYS>> [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS]
        [TOOL_CALLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CONTENT] [SYSTEM_PROMPT]
        [/SYSTEM_PROMPT] [IMG] [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [THINK]
        [/THINK] [CALL_ID] [ARGS] [AUDIO] [BEGIN_AUDIO] [MODEL_SETTINGS] [control_8] <pad>
    """,
    "Gemma": """
        <bos> <eos> <pad> <unk> <mask> <start_of_turn> <end_of_turn> <unused99>
        <start_of_image> <end_of_image> <image_soft_token> <|turn> <turn|> <|channel>
        <channel|> <|tool_call> <tool_call|> <|"|> [multimodal]
    """,
    "Phi": """
        <|system|> <|user|> <|assistant|> <|end|> <|placeholder1|> <|endofprompt|>
        <|dummy_84|>
    """,
    "DeepSeek, Hunyuan": """
        <｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜Assistant｜> <｜▁pad▁｜>
        <｜fim▁hole｜> <｜tool▁calls▁begin｜> <|EOT|> <｜hy_User｜>
    """,
    "Command": """
        <BOS_TOKEN> <EOS_TOKEN> <PAD> <UNK> <CLS> <SEP> <MASK_TOKEN> <EOP_TOKEN>
        <|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> <|USER_TOKEN|> <|CHATBOT_TOKEN|>
        <|START_RESPONSE|> <|START_THINKING|>
    """,
    "GLM": """
        [gMASK] [sMASK] [MASK] <sop> <eop> <|observation|> <arg_key> </arg_value>
        <|begin_of_image|>
    """,
    "gpt-oss": """
        <|start|> <|message|> <|channel|> <|return|> <|call|> <|constrain|>
    """,
    "EXAONE": """
        [|system|] [|user|] [|assistant|] [|endofturn|]
    """,
    "Falcon": """
        >>TITLE<< >>QUESTION<< >>ANSWER<< >>INTRODUCTION<<
    """,
    "Granite, Nemotron, Apertus, Jamba": """
        <|start_of_role|> <|end_of_role|> <extra_id_0> <SPECIAL_61> <|startoftext|> <|pad|>
        <|bom|>
    """,
    "Baichuan, MiniMax, Seed, ERNIE, Kimi": """
        <reserved_106> ]~b] ]~!b[ [e~[ <beginning_of_sentence> <end_of_sentence> <seed:bos>
        <seed:eos> <seed:think> </seed:think> <mask:0> <|im_user|> <|im_middle|>
    """,
    "BERT, T5": """
        [CLS] [SEP] [PAD] [UNK] <extra_id_99>
    """,
    "bytes": """
        <0x0A>
    """,
}
FAMILIES = {name: tuple(tokens.split()) for name, tokens in _TOKENS_BY_FAMILY.items()}

NOT_MARKS = ("[multimodal]",)
"""Tokens that look like plain words in brackets: only a tokenizer that has them breaks them up."""

TOKENS = tuple(dict.fromkeys(t for tokens in FAMILIES.values() for t in tokens))

FULL_WIDTH = str.maketrans(
    {c: chr(ord(c) + 0xFEE0) for c in "<>[]|/_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}
)


def disguised(text: str) -> list[str]:
    """The ways in which a mark is made to look unlike itself."""
    return [
        text,
        text.translate(FULL_WIDTH),
        "\u200b".join(text),
        "\u2060".join(text) + "\ufe0f",
        text.replace("<", "〈").replace(">", "〉").replace("[", "【").replace("]", "】"),
        text.replace("|", "│").replace("a", "а").replace("o", "о").replace("A", "А"),
        text[:1] + "\u00ad" + text[1:],
        text[:2] + "\u0301\U000e0041" + text[2:],
    ]
