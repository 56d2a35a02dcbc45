"""The config that `ste init` writes."""

STARTER = """\
# ste run ste.yaml: from unlabelled instructions to a trained, measured judge.
# Paths are relative to this file. Values shown commented out are the defaults.

run: runs/my-judge               # folder of the run; run again to resume
iterations: 2
# keep: best                     # best on dev by right-in-both-orders, or last

judge:                           # the seed: judges in iteration 1, and every iteration trains from it
  model: meta-llama/Llama-3.1-8B-Instruct      # a folder or a hub id
  # engine: local                # local (transformers) or http (any OpenAI-compatible server)

# generator:                     # writes the responses; by default the judge itself
#   model: my-generator
#   engine: http
#   options: {base_url: "http://127.0.0.1:8000/v1", api_key_env: MY_API_KEY}

instructions:
  - path: instructions.jsonl     # one object a line, with the key `instruction`
    # reader: jsonl              # jsonl, csv, parquet, hub
    # form: plain                # plain, wildchat, sharegpt, openai, alpaca
    # columns: {instruction: prompt}           # where your columns have other names
    # where: {language: English}
    # on_bad_line: error         # or skip, and count

# selection:
#   label: true                  # let the generator label category, complexity, expected length
#   categories: {reasoning: 500, coding: 500}
#   min_complexity: 4

pairs:
  strategies: [modified-instruction]
  # or modified-instruction-two-calls, other-instruction, ask-for-worse

judging:
  format: criteria               # criteria, plan, brief, verdict
  # samples: 15                  # most a pair and order, at temperature 0.7 and top_p 0.9
  # sampling: until_correct      # or until_both, until_decided, fixed; by default what the recipe needs
  # force_verdict: false         # for seeds too weak to state a verdict by themselves

training:
  recipe: sft-lora-8b            # `ste recipes list`, or the path of an axolotl config
  # start_from: seed             # or previous

# evaluation:
#   pairs: {mine: labelled.jsonl}              # id, subset, prompt, chosen, rejected
#   tasks: [ste_llmbar, ste_judgebench]        # judge benchmarks: `ste tasks list`
#   batch_size: 8

# budget:                        # the run then ends well, with what it has
#   max_tokens_total: 50000000
#   max_minutes: 1440

# hosts:                         # where axolotl and lm-eval are installed, if not here
#   train: {python: /path/to/axolotl/bin/python}
#   eval: {python: /path/to/lm-eval/bin/python}
"""
