"""A policy trained for two steps by TRL, by the reward that the environment says.

Run as a program for each process, with torchrun's environment: MODEL FILE-OF-ITS-LOG.
"""

import json
import sys
from pathlib import Path

QUESTIONS = ("Name a fruit.", "Say hello.", "Why is the sky blue?", "Count to three.")


def train(model: str) -> list[dict]:
    """Return what the trainer logs."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    from ste_plugin.integrations.policy_reward import win_rate

    prompts = [{"prompt": [{"role": "user", "content": text}]} for text in QUESTIONS * 2]
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        processing_class=AutoTokenizer.from_pretrained(model),
        reward_funcs=[win_rate],
        train_dataset=Dataset.from_list(prompts),
        args=GRPOConfig(
            "out",
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            ddp_backend="gloo",
            max_steps=2,
            logging_steps=1,
            num_generations=4,
            per_device_train_batch_size=4,
            max_completion_length=8,
            save_strategy="no",
            report_to=[],
        ),
    )
    trainer.train()
    return list(trainer.state.log_history)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(train(sys.argv[1])))
